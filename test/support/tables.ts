import type { TestDatabase } from "./postgres";
import { quoteIdentifier } from "../../provider/postgres/sql/quote";

/** Names that go wrong wherever one is not quoted, is split at a dot, or is made longer. */
export const ODD_NAMES = [`Mixed "Case".dots and spaces 🙂`, "x".repeat(63)] as const;

/** One table with a key, one without, and one of each odd name. */
export const BASIC_TABLES = `
  CREATE TABLE plain (id int PRIMARY KEY, note text);
  CREATE TABLE keyless (note text);
  ${ODD_NAMES.map((name) => `CREATE TABLE ${quoteIdentifier(name)} (note text);`).join(" ")}`;

/** A table with a child and one with partitions; the child and a partition are in a schema `far`. */
export const FAMILIES = `
  CREATE TABLE parent (note text);
  CREATE SCHEMA far;
  CREATE TABLE far.child () INHERITS (public.parent);
  CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY LIST (id);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
  CREATE TABLE far.parted_2 PARTITION OF public.parted FOR VALUES IN (2);`;

/** What a publication of schema `public` lists of both, sorted: partitions are published through their parent. */
export const LISTED = ["plain", "keyless", ...ODD_NAMES, "parent", "parted"]
  .map((name) => `public.${name}`)
  .sort();

/** `schema.table` -> replica identity as in `pg_class`, of every table but the module's own. */
export async function identities(db: Pick<TestDatabase, "sql">): Promise<Record<string, string>> {
  const rows = await db.sql<{ name: string; identity: string }>(
    `SELECT n.nspname || '.' || c.relname AS name, c.relreplident AS identity
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|_|information_schema)'`,
  );
  return Object.fromEntries(rows.map(({ name, identity }) => [name, identity]));
}

/** `schema.table` of the tables that publication bemi lists, sorted. */
export async function members(db: Pick<TestDatabase, "sql">): Promise<string[]> {
  const rows = await db.sql<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_publication_rel r
       JOIN pg_publication p ON p.oid = r.prpubid AND p.pubname = 'bemi'
       JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace`,
  );
  return rows.map(({ name }) => name).sort();
}
