import { readFileSync } from "node:fs";
import * as z from "zod";
import type { LoggedExchange } from "../../sandbox/neon";
import { violations } from "./openapi";

/** The user agent of every request that the provider sends. */
const USER_AGENT = "pulumi-neon-bemi";

/** The only bodies that the provider may send with PATCH. */
const PATCHES = z.strictObject({
  project: z.strictObject({
    settings: z.union([
      z.strictObject({ enable_logical_replication: z.literal(true) }),
      z.strictObject({
        allowed_ips: z.strictObject({ ips: z.array(z.string()), protected_branches_only: z.boolean() }),
      }),
    ]),
  }),
});

/** The lines of a sandbox's request log, oldest first. */
export function readRequestLog(path: string): LoggedExchange[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LoggedExchange);
}

/**
 * Expects every request of the provider in a sandbox's request log to be harmless, for the end of each suite with a
 * sandbox. Requests of the tests themselves and of other clients do not count.
 *
 * - There is no DELETE and no POST on a project or a branch.
 * - Every PATCH is one of a project, with one of the documented exact bodies.
 * - Requests and answers conform to Neon's OpenAPI document.
 */
export function expectCareful(log: readonly LoggedExchange[]): void {
  const own = log.filter(({ userAgent }) => userAgent === USER_AGENT);
  expect(own.length).toBeGreaterThan(0);
  expect(own.flatMap(offences)).toEqual([]);
}

function offences(exchange: LoggedExchange): string[] {
  const { method, path, requestBody } = exchange;
  const call = `${method} ${path}`;
  const found = [...violations(exchange).request, ...violations(exchange).response];
  if (/^(POST|DELETE) \/projects(\/[^/]+(\/branches(\/[^/]+)?)?)?$/.test(call))
    found.push(`${call} must never be sent`);
  if (method === "PATCH" && !/^\/projects\/[^/]+$/.test(path)) found.push(`${call} must never be sent`);
  if (method === "PATCH" && !PATCHES.safeParse(requestBody).success)
    found.push(`${call} has another body than the documented ones: ${JSON.stringify(requestBody)}`);
  return found;
}
