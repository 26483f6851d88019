import { readFileSync } from "node:fs";
import * as z from "zod";
import type { LoggedExchange } from "../../sandbox/neon";
import { violations } from "./openapi";

/** The user agent of every request that the provider sends. */
const USER_AGENT = "pulumi-neon-bemi";

/** The only bodies that the provider may send with PATCH of a project. */
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

/** The only bodies that the provider may send with POST and PATCH of a branch. It protects none. */
const NEW_BRANCH = z.strictObject({
  branch: z.strictObject({
    name: z.string(),
    parent_id: z.string(),
    init_source: z.literal("schema-only").optional(),
    expires_at: z.string().optional(),
  }),
  endpoints: z.tuple([z.strictObject({ type: z.literal("read_write") })]),
  annotation_value: z.strictObject({ "pulumi-neon-bemi": z.string(), "pulumi-neon-bemi-id": z.string() }),
});
const BRANCH_CHANGE = z.strictObject({
  branch: z.strictObject({ name: z.string().optional(), expires_at: z.string().nullable().optional() }),
});

/** The answer to a POST of a branch. */
const MADE_BRANCH = z.object({ branch: z.object({ id: z.string() }) });

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
 * - There is no DELETE and no POST on a project.
 * - The only branches that are changed or deleted are those that the provider has made.
 * - Every other PATCH is one of a project, and every body is one of the documented ones.
 * - Requests and answers conform to Neon's OpenAPI document.
 */
export function expectCareful(log: readonly LoggedExchange[]): void {
  const own = log.filter(({ userAgent }) => userAgent === USER_AGENT);
  expect(own.length).toBeGreaterThan(0);
  const made = new Set(own.flatMap(madeBranch));
  expect(own.flatMap((exchange) => offences(exchange, made))).toEqual([]);
}

/** The path of the branch that a request has made. */
function madeBranch({ method, path, responseBody }: LoggedExchange): string[] {
  const answer = MADE_BRANCH.safeParse(responseBody);
  return method === "POST" && path.endsWith("/branches") && answer.success
    ? [`${path}/${answer.data.branch.id}`]
    : [];
}

/** @param made paths of the branches that the provider has made */
function offences(exchange: LoggedExchange, made: ReadonlySet<string>): string[] {
  const { method, path, requestBody } = exchange;
  const call = `${method} ${path}`;
  const found = [...violations(exchange).request, ...violations(exchange).response];
  const ofBranch = /^\/projects\/[^/]+\/branches\/[^/]+$/.test(path);
  if (/^(POST|DELETE) \/projects(\/[^/]+)?$/.test(call)) found.push(`${call} must never be sent`);
  if (ofBranch && method === "POST") found.push(`${call} must never be sent`);
  if (ofBranch && ["PATCH", "DELETE"].includes(method) && !made.has(path))
    found.push(`${call} is about a branch that the provider has not made`);
  if (method === "PATCH" && !ofBranch && !/^\/projects\/[^/]+$/.test(path))
    found.push(`${call} must never be sent`);
  const body = bodyOf(method, path, ofBranch);
  if (body !== undefined && !body.safeParse(requestBody).success)
    found.push(`${call} has another body than the documented ones: ${JSON.stringify(requestBody)}`);
  return found;
}

/** The bodies that a request may have; `undefined`: any that conforms to the document. */
function bodyOf(method: string, path: string, ofBranch: boolean): z.ZodType | undefined {
  if (method === "POST" && path.endsWith("/branches")) return NEW_BRANCH;
  if (method !== "PATCH") return undefined;
  return ofBranch ? BRANCH_CHANGE : PATCHES;
}
