import { createHash } from "node:crypto";
import { UserError } from "../errors";
import { IN_BLOCK_SQL, runTogether, waitForOlderWriters } from "./block";
import type { Catalog } from "./catalog";
import { judgeSql } from "./identityStatement";
import { formatMark, parseMark, type Mark } from "./mark";
import { parseTableName, quoteIdentifier, quoteLiteral } from "./names";
import { ownSchemas, type Wanted } from "./selection";
import type { Session } from "./session";
import { hasCode } from "./sqlError";

/** The names of what the module makes in a database besides role and publication. */
export interface OwnNames {
  /** Holds the record of previous identities and the functions of the event triggers. */
  readonly schema: string;
  readonly identityTrigger: string;
  readonly publishTrigger: string;
}

/** Names derived from the publication's, which separates the trails of one database; at most 63 bytes. */
export function ownNames(publication: string): OwnNames {
  const short =
    publication.length <= 50
      ? publication
      : `${publication.slice(0, 41)}_${createHash("md5").update(publication).digest("hex").slice(0, 8)}`;
  return { schema: `_${short}`, identityTrigger: `_${short}_identity`, publishTrigger: `_${short}_publish` };
}

/** Whether both event triggers are there and fire. */
export function tracksNewTables(catalog: Catalog, publication: string): boolean {
  const { identityTrigger, publishTrigger } = ownNames(publication);
  const firing = catalog.eventTriggers.filter(({ enabled }) => enabled).map(({ name }) => name);
  return firing.includes(identityTrigger) && firing.includes(publishTrigger);
}

/**
 * Installs the event triggers that track new tables from their first row, or brings them in line with the selection.
 * They replace nothing: an event trigger of the same name that somebody else made is an error.
 *
 * - One runs with the rights of whoever runs the DDL (only the table's owner may change its identity), the other as
 *   its owner (only the publication's owner may add to it). One function for both would fail one of them.
 * - They look at the tables of the command alone, never raise an error, lock no table that the command has not locked
 *   as strongly itself, and wait for the publication once per statement, for at most 100 ms: the DDL of the app neither
 *   fails nor waits because of them. What they could not do, the next up does.
 * - On PostgreSQL itself only a superuser may create event triggers, so the function that runs as the caller is a
 *   superuser's there and nobody gains anything when a superuser runs DDL. Neon lets its owner roles create them, and
 *   does not run their functions for a superuser.
 *
 * `false` when our role may not: new tables then wait for the next up.
 */
export async function installTracking(
  session: Session,
  catalog: Catalog,
  wanted: Wanted,
  publication: string,
  mark: Mark,
): Promise<boolean> {
  const names = ownNames(publication);
  const statements = [
    ...identityFunction(catalog, wanted, publication),
    ...publishFunction(catalog, wanted, publication),
    ...eventTrigger(
      catalog,
      names.identityTrigger,
      `${quoteIdentifier(names.schema)}.track_identity()`,
      mark,
      ["CREATE TABLE", "CREATE TABLE AS", "SELECT INTO", "CREATE SCHEMA", "ALTER TABLE"],
    ),
    // The first one's ALTER TABLE fires this one; with the other tags it would run twice for each table.
    ...eventTrigger(
      catalog,
      names.publishTrigger,
      `${quoteIdentifier(names.schema)}.track_publication()`,
      mark,
      ["ALTER TABLE"],
    ),
  ];
  try {
    await runTogether(session, statements);
    return true;
  } catch (error) {
    if (hasCode(error, "42501")) return false;
    throw error;
  }
}

/**
 * Removes event triggers and functions, if they are there and carry a mark of this module. The functions go last: DDL
 * that has reached its triggers calls them until it is done, and fails where one is gone. All they may wait for on the
 * way is one lock for 100 ms.
 */
export async function removeTracking(session: Session, catalog: Catalog, publication: string): Promise<void> {
  const { schema, identityTrigger, publishTrigger } = ownNames(publication);
  const ours = catalog.eventTriggers.filter(
    ({ name, comment }) =>
      (name === identityTrigger || name === publishTrigger) && parseMark(comment) !== undefined,
  );
  const functions = ["track_identity()", "track_publication()"].map(
    (name) => `DROP FUNCTION IF EXISTS ${quoteIdentifier(schema)}.${name}`,
  );
  if (ours.length > 0) {
    await runTogether(
      session,
      ours.map(({ name }) => `DROP EVENT TRIGGER IF EXISTS ${quoteIdentifier(name)}`),
    );
    await waitForOlderWriters(session, "2 s");
  }
  await runTogether(session, functions);
}

function eventTrigger(
  catalog: Catalog,
  name: string,
  call: string,
  mark: Mark,
  tags: readonly string[],
): string[] {
  const existing = catalog.eventTriggers.find((trigger) => trigger.name === name);
  if (existing !== undefined) {
    if (parseMark(existing.comment) === undefined) {
      throw new UserError(
        `The event trigger "${name}" exists already and was not made by this module. Drop or rename it, or set trackNewTables to false.`,
      );
    }
    return [`ALTER EVENT TRIGGER ${quoteIdentifier(name)} ENABLE`];
  }
  return [
    `CREATE EVENT TRIGGER ${quoteIdentifier(name)} ON ddl_command_end
       WHEN TAG IN (${tags.map(quoteLiteral).join(", ")}) EXECUTE FUNCTION ${call}`,
    `COMMENT ON EVENT TRIGGER ${quoteIdentifier(name)} IS ${quoteLiteral(formatMark(mark))}`,
  ];
}

/**
 * Sets the identity of new tables. A table whose generated columns rule a full identity out is left alone. One that got
 * such a column while it was tracked would refuse every UPDATE from then on: it goes back to its key.
 */
function identityFunction(catalog: Catalog, wanted: Wanted, publication: string): string[] {
  const { schema } = ownNames(publication);
  return triggerFunction(
    schema,
    "track_identity",
    "",
    `
DECLARE found record;
BEGIN
  ${NOT_OURS}
  FOR found IN
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident,
           (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
             WHERE i.indrelid = c.oid AND i.indisreplident) AS index_name,
           CASE WHEN v.virtual THEN 'DEFAULT' ELSE 'FULL' END AS clause
      FROM ${tablesOfCommand(catalog, wanted, schema)}
      CROSS JOIN LATERAL (SELECT ${HAS_VIRTUAL} AS virtual) v
     WHERE CASE WHEN v.virtual THEN c.relreplident = 'f' AND (${listedIn(publication)} OR ${publishesAll(publication)})
                ELSE c.relreplident <> 'f' END
       AND ${LOCKED_BY_COMMAND}
  LOOP
    BEGIN
      PERFORM set_config(${quoteLiteral(`${schema}.before`)},
        jsonb_build_object('relid', found.oid::int8, 'previous', found.relreplident, 'index_name', found.index_name)::text, true);
      EXECUTE format('ALTER TABLE %I.%I REPLICA IDENTITY %s', found.nspname, found.relname, found.clause);
      IF found.relkind = 'r' THEN
        ${judgeSql("format('%I.%I', found.nspname, found.relname)", "found.oid")}
      END IF;
    EXCEPTION WHEN others THEN
      RAISE WARNING '%: replica identity of %.%: % (%)', ${quoteLiteral(publication)}, found.nspname, found.relname, SQLERRM, SQLSTATE;
    END;
    PERFORM set_config(${quoteLiteral(`${schema}.before`)}, '', true);
  END LOOP;
EXCEPTION WHEN others THEN
  RAISE WARNING '%: new tables: % (%)', ${quoteLiteral(publication)}, SQLERRM, SQLSTATE;
END`,
  );
}

/**
 * Records what the identity was and adds the table to the publication, now that its identity is full. What the other
 * function says about the time before is trusted as far as the table's owner is: it can only be wrong about their own.
 */
function publishFunction(catalog: Catalog, wanted: Wanted, publication: string): string[] {
  const { schema } = ownNames(publication);
  const name = quoteIdentifier(publication);
  const busy = quoteLiteral(`${schema}.busy`);
  return triggerFunction(
    schema,
    "track_publication",
    "SECURITY DEFINER",
    `
DECLARE found record;
BEGIN
  ${NOT_OURS}
  FOR found IN
    SELECT c.oid, n.nspname, c.relname, ${listedIn(publication)} AS listed,
           c.relreplident = 'f' AND NOT ${HAS_VIRTUAL} AS ready,
           c.relreplident = 'd' AND ${HAS_VIRTUAL}
             AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS unfit
      FROM ${tablesOfCommand(catalog, wanted, schema)}
  LOOP
    BEGIN
      INSERT INTO ${quoteIdentifier(schema)}.identity (relid, previous, index_name)
        SELECT b.relid, b.previous, b.index_name
          FROM jsonb_to_record(nullif(current_setting(${quoteLiteral(`${schema}.before`)}, true), '')::jsonb)
            AS b (relid oid, previous "char", index_name text)
         WHERE b.relid = found.oid AND found.ready
        ON CONFLICT DO NOTHING;
    EXCEPTION WHEN others THEN
      RAISE WARNING '%: record of %.%: % (%)', ${quoteLiteral(publication)}, found.nspname, found.relname, SQLERRM, SQLSTATE;
    END;
    BEGIN
      CONTINUE WHEN current_setting(${busy}, true) = statement_timestamp()::text;
      IF found.ready AND NOT found.listed AND NOT ${publishesAll(publication)}
         AND EXISTS (SELECT FROM pg_publication p WHERE p.pubname = ${quoteLiteral(publication)}) THEN
        EXECUTE format('ALTER PUBLICATION ${name} ADD TABLE ONLY %I.%I', found.nspname, found.relname);
      ELSIF found.unfit AND found.listed THEN
        EXECUTE format('ALTER PUBLICATION ${name} DROP TABLE ONLY %I.%I', found.nspname, found.relname);
      END IF;
    EXCEPTION WHEN others THEN
      -- Another migration that has added a table holds the publication until it commits: no use to wait for each table.
      IF SQLSTATE = '55P03' THEN PERFORM set_config(${busy}, statement_timestamp()::text, true); END IF;
      RAISE WARNING '%: publication of %.%: % (%)', ${quoteLiteral(publication)}, found.nspname, found.relname, SQLERRM, SQLSTATE;
    END;
  END LOOP;
EXCEPTION WHEN others THEN
  RAISE WARNING '%: new tables: % (%)', ${quoteLiteral(publication)}, SQLERRM, SQLSTATE;
END`,
  );
}

/** Every role runs them through the event trigger, for which it needs no right on function or schema. */
function triggerFunction(schema: string, name: string, security: string, body: string): string[] {
  const call = `${quoteIdentifier(schema)}.${name}()`;
  return [
    `CREATE OR REPLACE FUNCTION ${call} RETURNS event_trigger LANGUAGE plpgsql ${security}
       SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS ${quoteLiteral(body)}`,
    `REVOKE ALL ON FUNCTION ${call} FROM PUBLIC`,
  ];
}

/**
 * The module itself alters thousands of tables in a block of its own, records what they were and publishes them next:
 * looking at each of them here would take most of the time.
 */
const NOT_OURS = `IF ${IN_BLOCK_SQL} THEN RETURN; END IF;`;

/** Virtual generated columns (PostgreSQL 18) cannot be published together with a full identity. */
const HAS_VIRTUAL = `EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attgenerated = 'v' AND NOT a.attisdropped)`;

/**
 * Whether this transaction has table `c` to itself already. ATTACH PARTITION, VALIDATE CONSTRAINT and others lock a table
 * less strongly: setting its identity then would wait, and keep everybody off it until the transaction's end.
 */
const LOCKED_BY_COMMAND = `EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                        WHERE d.datname = current_database() AND l.locktype = 'relation' AND l.relation = c.oid
                          AND l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND l.granted)`;

/** Whether the publication publishes every table. */
function publishesAll(publication: string): string {
  return `EXISTS (SELECT FROM pg_publication p WHERE p.pubname = ${quoteLiteral(publication)} AND p.puballtables)`;
}

/** Whether the publication lists table `c`, or a partitioned table above it. */
function listedIn(publication: string): string {
  return `EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
                        WHERE p.pubname = ${quoteLiteral(publication)}
                          AND (r.prrelid = c.oid OR r.prrelid IN (SELECT relid FROM pg_partition_ancestors(c.oid))))`;
}

/**
 * The tracked tables of the current command as `c`, with their schemas as `n`: those it names, and partitions below
 * them, for ATTACH PARTITION names only the parent. Read from pg_inherits, which takes no locks.
 */
function tablesOfCommand(catalog: Catalog, wanted: Wanted, schema: string): string {
  const named = (names: readonly string[]): string =>
    names.length === 0
      ? "false"
      : `(fn.nspname, fc.relname) IN (VALUES ${names
          .map(parseTableName)
          .map(({ schema, name }) => `(${quoteLiteral(schema)}::name, ${quoteLiteral(name)}::name)`)
          .join(", ")})`;
  const inSchemas = (schemas: Iterable<string>): string =>
    `fn.nspname IN (${[...schemas].map(quoteLiteral).join(", ")})`;
  const asked =
    wanted.tables !== undefined
      ? named(wanted.tables)
      : wanted.schemas !== undefined
        ? inSchemas(wanted.schemas)
        : "fn.nspname !~ '^pg_' AND fn.nspname <> 'information_schema'";
  const family = (condition: string): string => `EXISTS (
        SELECT FROM pg_class fc JOIN pg_namespace fn ON fn.oid = fc.relnamespace
         WHERE (fc.oid = c.oid OR fc.oid IN (SELECT relid FROM pg_partition_ancestors(c.oid))) AND ${condition})`;
  const excluded = wanted.excludeTables ?? [];
  const own = [...new Set([...ownSchemas(catalog), schema])];
  return `(
        WITH RECURSIVE touched AS (
          SELECT d.objid AS relid FROM pg_event_trigger_ddl_commands() d
           WHERE d.classid = 'pg_class'::regclass AND d.object_type = 'table' AND NOT d.in_extension
          UNION
          SELECT h.inhrelid FROM touched t JOIN pg_class p ON p.oid = t.relid AND p.relkind = 'p'
            JOIN pg_inherits h ON h.inhparent = t.relid)
        SELECT relid FROM touched) t
      JOIN pg_class c ON c.oid = t.relid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
        AND NOT EXISTS (SELECT FROM pg_depend e
                         WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
        AND ${family(asked)}
        ${excluded.length === 0 ? "" : `AND NOT ${family(named(excluded))}`}
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN (${own.map(quoteLiteral).join(", ")})`;
}
