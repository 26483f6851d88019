import { UserError } from "../../contract/errors";
import type { Run } from "../../contract/kind";
import { runTogether } from "../sql/block";
import type { Catalog } from "../../contract/catalog";
import { describeOwnership, formatMark, ownership, type Mark } from "../ownership/mark";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { oidArray, quoteIdentifier, quoteLiteral } from "../sql/quote";
import { ownNames } from "../ownership/ownNames";
import { ownSchemas } from "../ownership/ownObjects";

/**
 * Makes the module's schema with its record: which identity every table had before the module changed it. A schema that
 * came along with a copied branch is taken over: the copy has the same tables under the same oids. Throws a
 * {@link UserError} where somebody else's schema has the name.
 */
export async function ensureRecord(
  session: Session,
  catalog: Catalog,
  publication: string,
  mark: Mark,
  run: Pick<Run, "log">,
): Promise<void> {
  const { schema } = ownNames(publication);
  const name = quoteIdentifier(schema);
  const comment = `COMMENT ON SCHEMA ${name} IS ${quoteLiteral(formatMark(mark))}`;
  // The key doubles as its replica identity: a publication for all tables includes this one.
  const table = `CREATE TABLE IF NOT EXISTS ${name}.identity (
    relid oid PRIMARY KEY, previous "char" NOT NULL, index_name text)`;
  const existing = catalog.schemas.find((found) => found.name === schema);
  if (existing === undefined) {
    await runTogether(session, [`CREATE SCHEMA ${name}`, comment, table]);
    return;
  }
  const owner = ownership(existing.comment, mark);
  if (owner === "other resource" || owner === "none") {
    throw new UserError(
      `The schema "${schema}" exists already and ${describeOwnership(owner, existing.comment)}. The module keeps its record of replica identities there: give the publication another name, or remove the schema.`,
    );
  }
  const statements: string[] = [];
  if (owner === "copy of another branch") {
    run.log(`The schema ${schema} ${describeOwnership(owner, existing.comment)}; it is taken over.`);
    statements.push(comment);
  }
  if (!hasRecord(catalog, publication)) statements.push(table);
  if (statements.length > 0) await runTogether(session, statements);
}

/** Whether there is a record of identities for this publication. */
export function hasRecord(catalog: Catalog, publication: string): boolean {
  const { schema } = ownNames(publication);
  return catalog.tables.some((table) => table.schema === schema && table.name === "identity");
}

/** Oids of the tables in the record, without those given. */
export async function readRecord(
  session: Session,
  publication: string,
  without: readonly number[],
): Promise<number[]> {
  const { schema } = ownNames(publication);
  const [row] = await session.read<{ relids: number[] }>(
    `SELECT coalesce(json_agg(r.relid::int8), '[]') AS relids
       FROM ${quoteIdentifier(schema)}.identity r LEFT JOIN unnest($1::oid[]) AS w (relid) USING (relid)
      WHERE w.relid IS NULL`,
    [without],
  );
  return row?.relids ?? [];
}

/**
 * Leaves those of the given tables that another trail in this database tracks as well to that one: they stay FULL, and
 * its record takes over what they had before either. They leave our record.
 */
export async function handOver(
  session: Session,
  catalog: Catalog,
  publication: string,
  relids: readonly number[],
): Promise<void> {
  const { schema } = ownNames(publication);
  const trails = [...ownSchemas(catalog)].filter(
    (other) =>
      other !== schema && catalog.tables.some((table) => table.schema === other && table.name === "identity"),
  );
  for (const other of relids.length === 0 ? [] : trails) {
    await session.write(
      `WITH shared AS (
         SELECT r.* FROM ${quoteIdentifier(schema)}.identity r
           JOIN ${quoteIdentifier(other)}.identity o USING (relid) WHERE r.relid = ANY ($1::oid[])),
       taken AS (
         UPDATE ${quoteIdentifier(other)}.identity o SET previous = s.previous, index_name = s.index_name
           FROM shared s WHERE o.relid = s.relid AND o.previous = 'f')
       DELETE FROM ${quoteIdentifier(schema)}.identity r USING shared s WHERE r.relid = s.relid`,
      [relids],
    );
  }
}

/** SQLSTATE of a record that {@link dropRecord} leaves alone. */
const IN_USE = "NB002";

/**
 * Drops the record, unless it has tables in it by now that are not among those given: `false`. Whoever has written to it
 * has come to an end then, as the lock on it shows.
 */
export async function dropRecord(
  session: Session,
  publication: string,
  done: readonly number[],
): Promise<boolean> {
  const record = `${quoteIdentifier(ownNames(publication).schema)}.identity`;
  try {
    await runTogether(session, [
      `LOCK TABLE ${record}`,
      `DO $do$ BEGIN
         IF EXISTS (SELECT FROM ${record} r JOIN pg_class c ON c.oid = r.relid WHERE r.relid <> ALL ('${oidArray(done)}'::oid[])) THEN
           RAISE EXCEPTION 'the record is in use' USING ERRCODE = '${IN_USE}';
         END IF;
       END $do$`,
      `DROP TABLE ${record}`,
    ]);
    return true;
  } catch (error) {
    if (hasCode(error, IN_USE)) return false;
    if (!hasCode(error, "55P03")) throw error;
    throw new UserError(
      "A transaction that is still open has made a table that was tracked at once, so its replica identity could not be put back. When it has ended, run destroy again; what was done stays done.",
    );
  }
}

/** Drops the schema, unless somebody keeps something in it. */
export async function dropSchema(
  session: Session,
  publication: string,
  run: Pick<Run, "log">,
): Promise<void> {
  const { schema } = ownNames(publication);
  try {
    await runTogether(session, [`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)}`]);
  } catch (error) {
    if (!hasCode(error, "2BP01")) throw error;
    run.log(`The schema ${schema} stays: it holds objects that this module did not make.`);
  }
}
