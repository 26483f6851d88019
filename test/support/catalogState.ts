import { Client } from "pg";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { runSql, type TestDatabase } from "./postgres";

export type { Fact };

/** Everything that a trail could change in a database's catalogs and in the roles of its server. */
export async function catalogState(
  db: Pick<TestDatabase, "superuserUri">,
  database: string,
): Promise<Fact[]> {
  const client = new Client({ connectionString: uriTo(db.superuserUri, database) });
  await client.connect();
  try {
    return await catalogFacts(client);
  } finally {
    await client.end();
  }
}

/** A connection URI to another database of the same server. */
export function uriTo(uri: string, database: string): string {
  const url = new URL(uri);
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.toString();
}

let databases = 0;

/** Makes a database of `neondb_owner`, runs `sql` in it as the owner and then `superuserSql` as the superuser. */
export async function newDatabase(
  db: Pick<TestDatabase, "superuserUri" | "ownerUri">,
  { sql = "", superuserSql = "" }: { sql?: string; superuserSql?: string } = {},
): Promise<string> {
  databases += 1;
  const name = `shop_${databases}`;
  await runSql(db.superuserUri, `CREATE DATABASE ${name} OWNER neondb_owner`);
  if (sql !== "") await runSql(uriTo(db.ownerUri, name), sql);
  if (superuserSql !== "") await runSql(uriTo(db.superuserUri, name), superuserSql);
  return name;
}

/** Drops all databases of {@link newDatabase}, and all roles that were made since the server started. */
export async function removeDatabases({ superuserUri }: Pick<TestDatabase, "superuserUri">): Promise<void> {
  const rows = await runSql<{ drop: string }>(
    superuserUri,
    `SELECT format('DROP DATABASE %I WITH (FORCE)', datname) AS drop FROM pg_database WHERE datname LIKE 'shop\\_%'
     UNION ALL
     SELECT format('DROP ROLE %I', rolname) FROM pg_roles
      WHERE rolname !~ '^pg_' AND rolname NOT IN ('cloud_admin', 'neon_superuser', 'neondb_owner')`,
  );
  for (const row of rows) await runSql(superuserUri, row.drop);
}

/** One line for each difference. For a role, the line names the attributes that differ. */
export function differences(before: readonly Fact[], after: readonly Fact[]): string[] {
  return compareFacts(before, after).map(({ kind, object, before: was, after: is }) => {
    if (kind === "role" && was !== undefined && is !== undefined)
      return `role ${object}: ${changedKeys(was, is).join(", ")}`;
    return `${kind} ${object}: ${was ?? "-"} => ${is ?? "-"}`;
  });
}

function changedKeys(before: string, after: string): string[] {
  const [was, is] = [before, after].map((text) => JSON.parse(text) as Record<string, unknown>);
  return Object.keys({ ...was, ...is }).filter(
    (key) => JSON.stringify(was?.[key]) !== JSON.stringify(is?.[key]),
  );
}
