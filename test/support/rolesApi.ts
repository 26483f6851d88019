import { randomBytes } from "node:crypto";
import type { NeonApi, NeonRole } from "../../provider/contract/neonApi";
import { quoteIdentifier, quoteLiteral } from "../../provider/postgres/sql/quote";
import { uriTo } from "./catalogState";
import { runSql } from "./postgres";

/** The passwords of the roles that this process has made, by server and the time of their making. */
const passwords = new Map<string, string>();

/**
 * The part of Neon's API that is about roles, over a server that has no API: before PostgreSQL 16, the owner of a database
 * cannot make Bemi's role in SQL. The roles have what Neon gives them. Everything else of the API fails.
 */
export function rolesApi(superuserUri: string): NeonApi {
  // Neon works in its own database, which has no settings of the application.
  const neonsUri = uriTo(superuserUri, "postgres");
  const role = async (_: string, __: string, name: string): Promise<NeonRole | undefined> => {
    const rows = await runSql<{ oid: string }>(
      neonsUri,
      "SELECT oid::text FROM pg_catalog.pg_roles WHERE rolname = $1",
      [name],
    );
    // The oid tells a role from another one of its name, as the time of its making does on Neon.
    return rows[0] && { name, createdAt: `role ${rows[0].oid}`, hasPassword: true };
  };
  const keyOf = async (name: string): Promise<string> =>
    `${new URL(superuserUri).host} ${(await role("", "", name))?.createdAt ?? ""}`;
  const setPassword = async (statement: string, name: string): Promise<string> => {
    const password = randomBytes(18).toString("hex");
    await runSql(neonsUri, `${statement} PASSWORD ${quoteLiteral(password)}`);
    passwords.set(await keyOf(name), password);
    return password;
  };
  const api: Partial<NeonApi> = {
    role,
    createRole: async (projectId, branchId, name) => {
      const password = await setPassword(
        `CREATE ROLE ${quoteIdentifier(name)} LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS IN ROLE neon_superuser`,
        name,
      );
      return { password, createdAt: (await role(projectId, branchId, name))?.createdAt };
    },
    revealPassword: async (_, __, name) => passwords.get(await keyOf(name)) ?? "",
    resetPassword: (_, __, name) => setPassword(`ALTER ROLE ${quoteIdentifier(name)}`, name),
    deleteRole: async (_, __, name) => {
      const databases = await runSql<{ name: string }>(
        neonsUri,
        "SELECT datname AS name FROM pg_catalog.pg_database WHERE datallowconn",
      );
      for (const database of databases)
        await runSql(
          uriTo(superuserUri, database.name),
          `SET transaction_read_only = off; DROP OWNED BY ${quoteIdentifier(name)}`,
        );
      await runSql(neonsUri, `DROP ROLE ${quoteIdentifier(name)}`);
    },
  };
  return new Proxy(api as NeonApi, {
    get: (target, method) => {
      const found: unknown = Reflect.get(target, method);
      if (found === undefined) throw new Error(`A SQL kind asked Neon's API: ${String(method)}.`);
      return found;
    },
  });
}
