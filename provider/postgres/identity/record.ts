import { UserError } from "../../contract/errors";
import type { Run } from "../../contract/kind";
import { runTogether } from "../sql/block";
import type { Catalog, TableFacts } from "../../contract/catalog";
import { describeOwnership, encodeMark, ownership, type Mark } from "../ownership/mark";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { oidArray, quoteIdentifier, quoteLiteral } from "../sql/quote";
import { createRecordSql, RECORD, RECORD_TABLE, recordedTablesSql, recordSql } from "../sql/recordTable";
import { ownNames } from "../ownership/ownNames";
import { ownSchemas } from "../ownership/ownObjects";

/**
 * Throws a {@link UserError} where somebody else's schema has the name of the module's own. A schema that came along
 * with a copied branch is no obstacle: the copy has the same tables under the same oids.
 */
export function refuseForeignSchema(catalog: Catalog, publication: string, mark: Mark): void {
  const { schema } = ownNames(publication);
  const existing = catalog.schemas.find(({ name }) => name === schema);
  if (existing === undefined) return;
  const owner = ownership(existing.comment, mark);
  if (owner !== "other resource" && owner !== "none") return;
  throw new UserError(
    `The schema "${schema}" exists already and ${describeOwnership(owner, existing.comment, mark)}. The module keeps its record of replica identities there: give the publication another name, or remove the schema.`,
  );
}

/** Creates the module's schema with its mark and the record. */
export async function createSchema(session: Session, schema: string, mark: Mark): Promise<void> {
  await runTogether(session, [
    `CREATE SCHEMA ${quoteIdentifier(schema)}`,
    markSql(schema, mark),
    createRecordSql(schema),
  ]);
}

/** Puts the mark of this resource and branch on the module's schema. */
export async function markSchema(session: Session, schema: string, mark: Mark): Promise<void> {
  await runTogether(session, [markSql(schema, mark)]);
}

/** Creates the record in the module's schema. */
export async function createRecord(session: Session, schema: string): Promise<void> {
  await runTogether(session, [createRecordSql(schema)]);
}

function markSql(schema: string, mark: Mark): string {
  return `COMMENT ON SCHEMA ${quoteIdentifier(schema)} IS ${quoteLiteral(encodeMark(mark))}`;
}

/** Whether there is a record of identities for this publication. */
export function hasRecord(catalog: Catalog, publication: string): boolean {
  return recordIsIn(catalog, ownNames(publication).schema);
}

function recordIsIn(catalog: Catalog, schema: string): boolean {
  return catalog.tables.some((table) => table.schema === schema && table.name === RECORD_TABLE);
}

/** Oids of the tables in the record, without those given; none where the catalog has no record. */
export async function readRecord(
  session: Session,
  catalog: Catalog,
  publication: string,
  without: readonly number[] = [],
): Promise<number[]> {
  if (!hasRecord(catalog, publication)) return [];
  const [row] = await session.read<{ relids: number[] }>(
    `SELECT coalesce(json_agg(r.${RECORD.relid}::int8), '[]') AS relids
       FROM ${recordSql(ownNames(publication).schema)} r LEFT JOIN unnest($1::oid[]) AS w (oid) ON w.oid = r.${RECORD.relid}
      WHERE w.oid IS NULL`,
    [without],
  );
  return row?.relids ?? [];
}

/** The identity that a table had before this module changed it. */
export type PreviousIdentity = Pick<TableFacts, "identity" | "identityIndex">;

/** The letters of `pg_class.relreplident`. */
const IDENTITIES: Readonly<Record<string, PreviousIdentity["identity"]>> = {
  d: "default",
  n: "nothing",
  f: "full",
  i: "index",
};

/**
 * The previous identities in the record by oid, without those of the tables given; none where there is no record (any
 * more): a destroy may have been killed while the server went on with its last statement.
 */
export async function readPrevious(
  session: Session,
  catalog: Catalog,
  publication: string,
  without: readonly number[],
): Promise<ReadonlyMap<number, PreviousIdentity>> {
  if (!hasRecord(catalog, publication)) return new Map();
  try {
    const rows = await session.read<{ relid: string; previous: string; index: string | null }>(
      `SELECT r.${RECORD.relid}::text AS relid, r.${RECORD.previous} AS previous, r.${RECORD.index} AS index
         FROM ${recordSql(ownNames(publication).schema)} r LEFT JOIN unnest($1::oid[]) AS w (oid) ON w.oid = r.${RECORD.relid}
        WHERE w.oid IS NULL`,
      [without],
    );
    return new Map(
      rows.map(({ relid, previous, index }) => [
        Number(relid),
        {
          identity: IDENTITIES[previous] ?? "default",
          identityIndex: index === null ? null : { oid: 0, name: index, columns: [] },
        },
      ]),
    );
  } catch (error) {
    if (hasCode(error, ...RECORD_GONE)) return new Map();
    throw error;
  }
}

/** SQLSTATEs of a read of a record that was dropped since the catalog was read. */
export const RECORD_GONE = ["42P01", "3F000"] as const;

/**
 * Leaves those of the given tables that another trail in this database tracks as well to that trail: they stay FULL,
 * and its record takes over the identity they had before either trail. They leave our record.
 */
export async function handOver(
  session: Session,
  catalog: Catalog,
  publication: string,
  relids: readonly number[],
): Promise<void> {
  if (relids.length === 0) return;
  const { schema } = ownNames(publication);
  const { relid, previous, index } = RECORD;
  for (const other of ownSchemas(catalog)) {
    if (other === schema || !recordIsIn(catalog, other)) continue;
    await session.write(
      `WITH shared AS (
         SELECT r.* FROM ${recordSql(schema)} r
           JOIN ${recordSql(other)} o USING (${relid}) WHERE r.${relid} = ANY ($1::oid[])),
       taken AS (
         UPDATE ${recordSql(other)} o SET ${previous} = s.${previous}, ${index} = s.${index}
           FROM shared s WHERE o.${relid} = s.${relid} AND o.${previous} = 'f')
       DELETE FROM ${recordSql(schema)} r USING shared s WHERE r.${relid} = s.${relid}`,
      [relids],
    );
  }
}

/** SQLSTATE of a record that {@link dropRecord} leaves alone. */
const IN_USE = "NB002";

/**
 * Drops the record, unless it meanwhile has tables in it that are not among those given: `false`. The lock on the
 * record waits for every transaction that has written to it.
 */
export async function dropRecord(
  session: Session,
  publication: string,
  done: readonly number[],
): Promise<boolean> {
  const { schema } = ownNames(publication);
  try {
    await runTogether(session, [
      `LOCK TABLE ${recordSql(schema)}`,
      `DO $do$ BEGIN
         IF EXISTS (SELECT FROM ${recordedTablesSql(schema)} WHERE r.${RECORD.relid} <> ALL ('${oidArray(done)}'::oid[])) THEN
           RAISE EXCEPTION 'the record is in use' USING ERRCODE = '${IN_USE}';
         END IF;
       END $do$`,
      `DROP TABLE ${recordSql(schema)}`,
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

/** Drops the module's schema, unless somebody keeps something in it: then it stays, with a line in the log. */
export async function dropSchema(session: Session, schema: string, run: Pick<Run, "log">): Promise<void> {
  try {
    await runTogether(session, [`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)}`]);
  } catch (error) {
    if (!hasCode(error, "2BP01")) throw error;
    run.log(`The schema ${schema} stays: it holds objects that this module did not make.`);
  }
}
