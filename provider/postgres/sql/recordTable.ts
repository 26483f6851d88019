import { quoteIdentifier } from "./quote";

/**
 * The record of previous identities: a table in the module's own schema that keeps, for every table whose replica
 * identity the module changes, the identity it had before. The statements of TypeScript and those of the event
 * triggers' functions are built from what stands here. It is in `sql/` because tracking and identity both write to it.
 */
export const RECORD_TABLE = "identity";

/** The columns of the record. */
export const RECORD = {
  /** Oid of the table; the key. */
  relid: "relid",
  /** `pg_class.relreplident` before: d(efault), n(othing), f(ull) or i(ndex). */
  previous: "previous",
  /** Name of the index where `previous` is i; null otherwise. */
  index: "index_name",
} as const;

const TYPES = { relid: "oid", previous: '"char"', index: "text" } as const;
const COLUMNS = `${RECORD.relid}, ${RECORD.previous}, ${RECORD.index}`;

/** The record's qualified, quoted name. `schema` is the module's own. */
export function recordSql(schema: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(RECORD_TABLE)}`;
}

/** The statement that creates the record, unless it exists. */
export function createRecordSql(schema: string): string {
  // The key doubles as the record's own replica identity: a publication for all tables publishes the record too.
  return `CREATE TABLE IF NOT EXISTS ${recordSql(schema)} (
    ${RECORD.relid} ${TYPES.relid} PRIMARY KEY, ${RECORD.previous} ${TYPES.previous} NOT NULL, ${RECORD.index} ${TYPES.index})`;
}

/** An INSERT of the rows of a query, which gives the three columns in the order of {@link RECORD}. */
export function insertRecordSql(schema: string, query: string): string {
  return `INSERT INTO ${recordSql(schema)} (${COLUMNS}) ${query}`;
}

/** Name of the index that a table has for its identity; null without one. `table` is an alias of pg_class. */
export function identityIndexSql(table: string): string {
  return `(SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
             WHERE i.indrelid = ${table}.oid AND i.indisreplident)`;
}

/** One row of the record as jsonb, of three expressions: how one function of an event trigger tells it the other. */
export function recordAsJsonSql(row: { relid: string; previous: string; index: string }): string {
  return `jsonb_build_object('${RECORD.relid}', ${row.relid}, '${RECORD.previous}', ${row.previous}, '${RECORD.index}', ${row.index})`;
}

/** A FROM item `alias` with the row that {@link recordAsJsonSql} made; `json` is an expression for it. */
export function recordFromJsonSql(json: string, alias: string): string {
  return `jsonb_to_record(${json})
            AS ${alias} (${RECORD.relid} ${TYPES.relid}, ${RECORD.previous} ${TYPES.previous}, ${RECORD.index} ${TYPES.index})`;
}

/** A FROM item: the rows of the record as `r`, each with its table as `c`. Rows of dropped tables are not in it. */
export function recordedTablesSql(schema: string): string {
  return `${recordSql(schema)} r JOIN pg_class c ON c.oid = r.${RECORD.relid}`;
}
