import type { PostgresVersion } from "../../sandbox/compute";

/**
 * The argument `role` of a trail on a sandbox. Before PostgreSQL 16 only a superuser can give REPLICATION in SQL, so the role
 * is created through Neon's API.
 */
export function roleOn(postgres: PostgresVersion): { readonly createdBy: "api" | "sql" } {
  return { createdBy: postgres < 16 ? "api" : "sql" };
}
