import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

/*
 * The record as PL/pgSQL sees it: the lines of the comment on the module's schema. The first is for people, the second
 * is the record as JSON, the third one says who changes replica identities at the moment, by publication.
 */

/** The relation that is locked by whoever changes the record. It is a view, and has no rows. */
export const LOCK_VIEW = "lock";

/** Its qualified, quoted name. */
export const LOCK_VIEW_SQL = `${quoteIdentifier(MODULE_SCHEMA)}.${quoteIdentifier(LOCK_VIEW)}`;

/** The statement that makes the view. */
export const CREATE_LOCK_VIEW_SQL = `CREATE VIEW ${LOCK_VIEW_SQL} AS SELECT`;

/**
 * The statement that locks the record against other changes, until the end of the transaction. Nobody but the owner of
 * the schema may use what is in it, so nobody else can take the lock.
 */
export const LOCK_RECORD_SQL = `LOCK TABLE ${LOCK_VIEW_SQL} IN SHARE ROW EXCLUSIVE MODE`;

/** An expression for the lines, as text[]. Read it under the lock, in a transaction that reads what is committed. */
export const LINES_SQL = `(SELECT string_to_array(obj_description(n.oid, 'pg_namespace'), E'\\n')
    FROM pg_namespace n WHERE n.nspname = ${quoteLiteral(MODULE_SCHEMA)})`;

/** PL/pgSQL that writes the lines in a text[] variable back. */
export function writeLinesSql(lines: string): string {
  return `EXECUTE format('COMMENT ON SCHEMA %I IS %L', ${quoteLiteral(MODULE_SCHEMA)}, array_to_string(${lines}, E'\\n'))`;
}
