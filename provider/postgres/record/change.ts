import { createHash } from "node:crypto";
import type { Catalog } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { Session } from "../../contract/session";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { runTogether } from "../sql/block";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { hasCode } from "../sql/sqlError";
import {
  foreignObjects,
  hasLockView,
  knowsOids,
  moduleSchema,
  ownModuleSchema,
  readRecord,
  refuseForeignSchema,
} from "./moduleSchema";
import { CREATE_LOCK_VIEW_SQL as VIEW, LINES_SQL, LOCK_VIEW_SQL, writeLinesSql } from "./lines";
import { encodeRecord, isEmpty, type DatabaseRecord } from "./record";
import { withOidsOf } from "./previous";

const SCHEMA = quoteIdentifier(MODULE_SCHEMA);

/** SQLSTATE of a change that was planned from a record that is out of date by now. */
const OUTDATED = "NB003";

/** SQLSTATEs that say the same in other words: somebody has made or dropped the schema or the view meanwhile. */
const CHANGED_MEANWHILE = [OUTDATED, "42P06", "42P07", "23505", "3F000", "42P01", "2BP01"] as const;

/** How often a change is planned anew before it is given up. */
const ATTEMPTS = 10;

/** What a change of the record came to. */
export interface RecordChange {
  readonly record: DatabaseRecord;
  /** What keeps the schema in place although the record is empty; empty in all other cases. */
  readonly kept: readonly string[];
}

/**
 * Changes the record, in one transaction that waits for other changes and compares first: a change that was planned
 * from a record that is out of date is planned anew, so two trails may come and go at the same time. Makes the schema
 * when it is missing, and drops it when nothing is left in the record.
 *
 * The lock is one on a view in the schema. Nobody but the schema's owner may use the schema, so nobody else can take it.
 *
 * @param change returns the record as it is to be; `undefined`, or an equal one: nothing to do
 * @throws UserError where the schema is somebody else's, or a transaction that changes the record does not end in time
 */
export async function changeRecord(
  session: Session,
  change: (record: DatabaseRecord, catalog: Catalog) => DatabaseRecord | undefined,
): Promise<RecordChange> {
  for (let attempt = 1; ; attempt += 1) {
    const catalog = attempt === 1 ? await session.catalog() : await session.freshCatalog();
    refuseForeignSchema(catalog);
    const before = readRecord(catalog);
    const known = knowsOids(before, catalog) ? before : withOidsOf(before, catalog);
    const after = change(known, catalog) ?? known;
    const steps = statements(catalog, before, after);
    const kept = isEmpty(after) ? foreignObjects(catalog) : [];
    if (steps.length === 0) return { record: after, kept };
    try {
      await runTogether(session, steps);
      return { record: after, kept };
    } catch (error) {
      // The error names who holds the lock.
      if (hasCode(error, "55P03"))
        throw new UserError(
          `The record in schema ${MODULE_SCHEMA} could not be changed, because a transaction that has made or altered a tracked table is still open. ${error.message} When it has ended, run again; what was done stays done.`,
        );
      if (attempt === ATTEMPTS || !hasCode(error, ...CHANGED_MEANWHILE)) throw error;
      // Not all at the same time again.
      await session.read("SELECT pg_catalog.pg_sleep(0.05 * random() * $1)", [attempt]);
    }
  }
}

/** The statements that bring the record about, as one transaction. */
function statements(catalog: Catalog, before: DatabaseRecord, after: DatabaseRecord): string[] {
  const own = ownModuleSchema(catalog);
  if (own === undefined) {
    if (isEmpty(after)) return [];
    const schema = moduleSchema(catalog);
    // Somebody has removed the comment, and what the module has made is still in the schema.
    if (catalog.inModuleSchema.length > 0) {
      const write = writeSql(schema?.comment ?? "", encodeRecord(after), "ARRAY[]::text[]");
      return [PRIVATE, ...locking(catalog, "SHARE ROW EXCLUSIVE"), write];
    }
    // A schema of our role that is empty has perhaps been granted to others: it is made anew.
    const drop = schema === undefined ? [] : [`DROP SCHEMA ${SCHEMA}`];
    return [...drop, `CREATE SCHEMA ${SCHEMA}`, PRIVATE, VIEW, commentSql(encodeRecord(after))];
  }
  const comment = own.comment ?? "";
  const same = encodeRecord(before) === encodeRecord(after);
  if (isEmpty(after)) {
    const others = foreignObjects(catalog).length > 0;
    if (others && same && !hasLockView(catalog)) return [];
    return [
      ...locking(catalog, "ACCESS EXCLUSIVE"),
      writeSql(comment, encodeRecord(after)),
      ...removal(catalog),
      // What others have put into the schema stays, and so does the schema.
      ...(others ? [] : [`DROP SCHEMA ${SCHEMA}`]),
    ];
  }
  if (same) return hasLockView(catalog) ? [] : [VIEW];
  return [...locking(catalog, "SHARE ROW EXCLUSIVE"), writeSql(comment, encodeRecord(after))];
}

/** Revokes what default privileges have given to others: who may use the schema could lock the view. */
const PRIVATE = `DO ${quoteLiteral(`
  DECLARE grantee text;
  BEGIN
    FOR grantee IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE format('%I', r.rolname) END
        FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
       WHERE n.nspname = ${quoteLiteral(MODULE_SCHEMA)} AND a.grantee <> n.nspowner LOOP
      EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %s CASCADE', ${quoteLiteral(MODULE_SCHEMA)}, grantee);
    END LOOP;
  END`)}`;

/** Locks the view; makes it anew where somebody has dropped it. */
function locking(catalog: Catalog, mode: string): string[] {
  return [...(hasLockView(catalog) ? [] : [VIEW]), `LOCK TABLE ${LOCK_VIEW_SQL} IN ${mode} MODE`];
}

/** Drops what the module has made in its schema. */
function removal(catalog: Catalog): string[] {
  const foreign = foreignObjects(catalog);
  const functions = catalog.inModuleSchema.flatMap(({ kind, name }) =>
    kind === "function" && !foreign.includes(`${kind} ${name}`)
      ? [`DROP FUNCTION IF EXISTS ${SCHEMA}.${quoteIdentifier(name)}()`]
      : [],
  );
  return [...functions, `DROP VIEW ${LOCK_VIEW_SQL}`];
}

function commentSql(comment: string): string {
  return `COMMENT ON SCHEMA ${SCHEMA} IS ${quoteLiteral(comment)}`;
}

/**
 * Compares the record with the one that the change was planned from, and writes the new one. Needs the lock.
 *
 * @param before the comment as it was; empty where there was none
 * @param rest the lines that follow, in SQL. Default: a third line stays, because it belongs to whoever changes identities
 *   at the moment.
 */
function writeSql(before: string, after: string, rest = "lines[3:]"): string {
  const hash = createHash("md5").update(recordLines(before)).digest("hex");
  return `DO ${quoteLiteral(`
  DECLARE
    lines text[] := ${LINES_SQL};
  BEGIN
    IF md5(convert_to(coalesce(array_to_string(lines[1:2], E'\\n'), ''), 'UTF8')) IS DISTINCT FROM '${hash}' THEN
      RAISE EXCEPTION 'the record has changed meanwhile' USING ERRCODE = '${OUTDATED}';
    END IF;
    lines := string_to_array(${quoteLiteral(after)}, E'\\n') || ${rest};
    ${writeLinesSql("lines")};
  END`)}`;
}

/** The lines of a comment that are the record. */
function recordLines(comment: string): string {
  return comment.split("\n").slice(0, 2).join("\n");
}
