import { readFileSync } from "node:fs";
import { z } from "zod";
import type { LoggedExchange } from "../../sandbox/neon";
import { violations } from "./openapi";

/** What the module calls itself in every request. */
const USER_AGENT = "pulumi-neon-bemi";

/** The bodies of PATCH that the module may send, and no field more. */
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
 * What must hold of every request of the module in a sandbox's request log, whatever happened in between: for the end
 * of each suite that works on one. Requests of the tests themselves and of other clients do not count.
 *
 * - There is no DELETE and no POST on a project or a branch.
 * - Every PATCH is one of a project, with one of the documented exact bodies.
 * - Everything that is sent is as Neon's OpenAPI document has it.
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
