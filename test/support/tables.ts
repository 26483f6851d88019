import type { TestDatabase } from "./postgres";
import { quoteIdentifier } from "../../provider/postgres/sql/quote";

/** Names that break code which does not quote them, splits them at a dot, or makes them longer. */
export const ODD_NAMES = [`Mixed "Case".dots and spaces 🙂`, "x".repeat(63)] as const;

/** Makes one table with a primary key, one without, and one for each odd name. */
export const BASIC_TABLES = `
  CREATE TABLE plain (id int PRIMARY KEY, note text);
  CREATE TABLE keyless (note text);
  ${ODD_NAMES.map((name) => `CREATE TABLE ${quoteIdentifier(name)} (note text);`).join(" ")}`;

/** Makes a table with a child, and one with partitions. The child and one partition are in schema `far`. */
export const FAMILIES = `
  CREATE TABLE parent (note text);
  CREATE SCHEMA far;
  CREATE TABLE far.child () INHERITS (public.parent);
  CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY LIST (id);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
  CREATE TABLE far.parted_2 PARTITION OF public.parted FOR VALUES IN (2);`;

/** The tables of both that a publication of schema `public` lists, sorted. It lists partitions by their parent. */
export const LISTED = ["plain", "keyless", ...ODD_NAMES, "parent", "parted"]
  .map((name) => `public.${name}`)
  .sort();

/** The replica identity of every table of the application as in `pg_class`, by `schema.table`. */
export async function identities(db: Pick<TestDatabase, "sql">): Promise<Record<string, string>> {
  const rows = await db.sql<{ name: string; identity: string }>(
    `SELECT n.nspname || '.' || c.relname AS name, c.relreplident AS identity
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|_|information_schema)'`,
  );
  return Object.fromEntries(rows.map(({ name, identity }) => [name, identity]));
}

/** The tables that publication `bemi` lists, as `schema.table`, sorted. */
export async function members(db: Pick<TestDatabase, "sql">): Promise<string[]> {
  const rows = await db.sql<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_publication_rel r
       JOIN pg_publication p ON p.oid = r.prpubid AND p.pubname = 'bemi'
       JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace`,
  );
  return rows.map(({ name }) => name).sort();
}
