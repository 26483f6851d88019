import { ROLE_MADE_BY } from "./postgres";

/** Whether the stacks of the tests make Bemi's role through Neon's API: before PostgreSQL 16, SQL cannot make it. */
export const ROLE_BY_API = ROLE_MADE_BY === "api";

/** The type of the resource that makes Bemi's role. */
export const ROLE_KIND = ROLE_BY_API ? "ApiRole" : "ReplicationRole";

/**
 * The arguments of a `BemiAuditTrail`, with what they need on the server that the tests run on. Before PostgreSQL 16, that
 * is a role made through Neon's API. It can read every table, and `readAccess` is set all the same, so that a trail has as
 * many resources on every version.
 */
export function trailArgs<Args extends Readonly<Record<string, unknown>>>(args: Args): Args {
  const { role = {}, readAccess = true } = args;
  // What is no object is a mistake that a test makes.
  if (!ROLE_BY_API || typeof role !== "object") return args;
  return { ...args, role: { createdBy: "api", ...role }, readAccess };
}
