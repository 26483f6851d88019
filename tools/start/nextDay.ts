import { UserError } from "../../provider/contract/errors";
import { withClient } from "./client";

/*
 * What happens to a database between two runs of Pulumi, and what the next run must make of it.
 */

/** A table that a migration of the application adds. */
const NEW_TABLE = "public.gift_cards";
/** A table that somebody takes out of the publication by hand. */
const TAKEN_OUT = "public.order_items";

/** The statements of the next day, for the report as well. */
export const NEXT_DAY = [
  `CREATE TABLE ${NEW_TABLE} (code text PRIMARY KEY, balance numeric)`,
  `ALTER PUBLICATION bemi DROP TABLE ${TAKEN_OUT}`,
];

/** How to connect as the owner of the database. */
interface Owner {
  readonly ownerUri: string;
  readonly sslRootCert: string;
}

/** The owner's URI as a careful application uses it. The URI from Neon only asks for encryption; this also verifies. */
export function verifying({ ownerUri, sslRootCert }: Owner): string {
  const url = new URL(ownerUri);
  for (const parameter of ["sslmode", "sslrootcert", "channel_binding"]) url.searchParams.delete(parameter);
  url.searchParams.set("sslmode", "verify-full");
  url.searchParams.set("sslrootcert", sslRootCert);
  return url.href;
}

/** Changes the database as its owner, behind the back of the stack. */
export async function changeDatabase(owner: Owner): Promise<void> {
  await run(owner, NEXT_DAY);
}

/** Removes what the migration added. */
export async function undoMigration(owner: Owner): Promise<void> {
  await run(owner, [`DROP TABLE ${NEW_TABLE}`]);
}

async function run(owner: Owner, statements: readonly string[]): Promise<void> {
  await withClient({ connectionString: verifying(owner) }, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

/** @throws UserError unless both tables are published, with the full row before every change */
export async function assertMended(owner: Owner): Promise<void> {
  const names = await withClient({ connectionString: verifying(owner) }, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT pg_catalog.format('%I.%I', p.schemaname, p.tablename) AS name
       FROM pg_catalog.pg_publication_tables p
       JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
       WHERE p.pubname = 'bemi' AND c.relreplident = 'f'`,
    );
    return rows.map(({ name }) => name);
  });
  const missing = [NEW_TABLE, TAKEN_OUT].filter((table) => !names.includes(table));
  if (missing.length > 0)
    throw new UserError(`After pulumi up, these tables are not tracked: ${missing.join(", ")}`);
}
