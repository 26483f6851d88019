import { LOCK_POLICY } from "../sql/lockPolicy";
import { IN_BLOCK_SQL, PLAIN_NAMES } from "../sql/block";
import type { Catalog } from "../../contract/catalog";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { isMarkSql } from "../ownership/mark";
import { parseTableName } from "../catalog/tableNames";
import { LOCK_VIEW_SQL } from "../record/lines";
import type { Selection } from "../selection/selection";
import { judgeSql } from "../sql/judge";
import { FUNCTION_PREFIXES, ownNames } from "../ownership/ownNames";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { joinSql } from "../sql/joining";
import { noteSql } from "./note";

/*
 * The functions of the event triggers. Every role that runs DDL runs them, so they trust nothing that such a role can
 * set: no setting, no comment on an object of another owner. They call nothing outside of pg_catalog.
 */

/**
 * The function that sets the identity of new tables to FULL. It leaves a table alone whose virtual generated columns
 * rule FULL out. A published table that gets such a column in this command would refuse every UPDATE from then on, so
 * the function sets its identity back to DEFAULT.
 */
export function fullFunction(selection: Selection, publication: string): string[] {
  return triggerFunction(
    ownNames(publication).fullFunction,
    "",
    `
DECLARE found record;
BEGIN
  ${SKIP_OWN_CHANGES}
  FOR found IN
    SELECT c.oid, n.nspname, c.relname, c.relkind,
           CASE WHEN v.virtual THEN 'DEFAULT' ELSE 'FULL' END AS clause
      FROM ${tablesOfCommand(selection)}
      CROSS JOIN LATERAL (SELECT ${HAS_VIRTUAL} AS virtual) v
     WHERE CASE WHEN v.virtual THEN c.relreplident = 'f' AND EXISTS (SELECT FROM pg_publication p
                  WHERE ${isOwn(publication)} AND (p.puballtables OR ${lists("c.oid")}))
                ELSE c.relreplident <> 'f' END
       AND ${LOCKED_BY_COMMAND}
  LOOP
    BEGIN
      EXECUTE format('ALTER TABLE %I.%I REPLICA IDENTITY %s', found.nspname, found.relname, found.clause);
      IF found.relkind = 'r' THEN
        ${judgeSql("format('%I.%I', found.nspname, found.relname)", "found.oid")}
      END IF;
    EXCEPTION WHEN others THEN
      RAISE WARNING '%: replica identity of %.%: % (%)', ${quoteLiteral(publication)}, found.nspname, found.relname, SQLERRM, SQLSTATE;
    END;
  END LOOP;
EXCEPTION WHEN others THEN
  RAISE WARNING '%: new tables: % (%)', ${quoteLiteral(publication)}, SQLERRM, SQLSTATE;
END`,
  );
}

/**
 * The function that adds a table to the publication once its identity is FULL, and takes it out when it has become
 * unfit. Before that, it records the identity that a table has had until this command, because the other function sets
 * FULL right after it: its event trigger fires first, and again for the ALTER TABLE of the other function.
 */
export function publishFunction(catalog: Catalog, selection: Selection, publication: string): string[] {
  return triggerFunction(
    ownNames(publication).publishFunction,
    "SECURITY DEFINER",
    `
DECLARE
  found record;
  list record;
  -- The call stack: whether the other function, of this or another trail, has set FULL just now.
  context text;
BEGIN
  ${SKIP_OWN_CHANGES}
  GET DIAGNOSTICS context = PG_CONTEXT;
  FOR found IN
    SELECT c.oid, n.nspname, c.relname, c.relreplident,
           -- A partitioned table without a key is published by its partitions, see publication/members.ts.
           c.relreplident = 'f' AND NOT ${HAS_VIRTUAL} AND (c.relkind = 'r' OR ${HAS_KEY}) AS ready,
           c.relreplident = 'd' AND ${HAS_VIRTUAL} AND NOT ${HAS_KEY} AS unfit
      FROM ${tablesOfCommand(selection)}
  LOOP
    BEGIN
      -- Held until this transaction ends: by this, a destroy knows which transactions have made or altered tables.
      LOCK TABLE ${LOCK_VIEW_SQL} IN ACCESS SHARE MODE;
      IF found.relreplident <> 'f' AND NOT ${SET_JUST_NOW} THEN
        ${noteSql("found.oid", "found.relreplident")}
      END IF;
    EXCEPTION WHEN others THEN
      RAISE WARNING '%: record of %.%: % (%)', ${quoteLiteral(publication)}, found.nspname, found.relname, SQLERRM, SQLSTATE;
    END;
    -- While the publication changes its form there are two. The one that consumers read comes first.
    FOR list IN
      SELECT p.oid, p.pubname, ${lists("found.oid")} AS listed
        FROM pg_publication p WHERE ${isOwn(publication)} AND NOT p.puballtables
       ORDER BY p.pubname <> ${quoteLiteral(publication)}
    LOOP
      BEGIN
        -- Another migration that has added a table holds the publication until it commits: once a transaction has waited
        -- for that, it does not wait again for each table.
        IF ${HAS_WAITED} THEN PERFORM set_config('lock_timeout', '1ms', true); END IF;
        IF found.ready AND NOT list.listed THEN
          IF NOT ${SET_JUST_NOW} THEN
            ${noteSql("found.oid", "'f'")}
          END IF;
          ${joinSql(catalog.server.version, "list.oid")}
          EXECUTE format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I', list.pubname, found.nspname, found.relname);
        ELSIF found.unfit AND list.listed THEN
          EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %I.%I', list.pubname, found.nspname, found.relname);
        END IF;
      EXCEPTION WHEN others THEN
        RAISE WARNING '%: publication of %.%: % (%)', list.pubname, found.nspname, found.relname, SQLERRM, SQLSTATE;
        IF SQLSTATE = '55P03' THEN LOCK TABLE ${LOCK_VIEW_SQL} IN ROW SHARE MODE; END IF;
      END;
    END LOOP;
  END LOOP;
EXCEPTION WHEN others THEN
  RAISE WARNING '%: new tables: % (%)', ${quoteLiteral(publication)}, SQLERRM, SQLSTATE;
END`,
  );
}

/**
 * A function of an event trigger. Every role runs it through the trigger, and needs no right on function or schema for
 * it. What the role has set in its session reaches neither the function's meaning nor whether it runs.
 */
function triggerFunction(name: string, security: string, body: string): string[] {
  const call = `${quoteIdentifier(MODULE_SCHEMA)}.${quoteIdentifier(name)}()`;
  return [
    `CREATE OR REPLACE FUNCTION ${call} RETURNS event_trigger LANGUAGE plpgsql ${security}
       SET search_path = pg_catalog, pg_temp SET lock_timeout = '${LOCK_POLICY.attempt}'
       SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on
       SET plpgsql.extra_errors = '' SET plpgsql.extra_warnings = ''
       AS ${quoteLiteral(`${PLAIN_NAMES}${body}`)}`,
    `REVOKE ALL ON FUNCTION ${call} FROM PUBLIC`,
  ];
}

/** The owner of the module's schema: the only role that the functions take for the module. */
const SCHEMA_OWNER = `(SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = ${quoteLiteral(MODULE_SCHEMA)})`;

/**
 * Returns at once where the module itself alters a table. It does so with thousands of tables in one block, records and
 * publishes them itself, and would spend most of the time here. Every role can make the setting that says so, hence the
 * look at who has logged in.
 */
const SKIP_OWN_CHANGES = `IF ${IN_BLOCK_SQL} AND session_user = pg_get_userbyid(${SCHEMA_OWNER}) THEN RETURN; END IF;`;

/** Whether the ALTER TABLE that fired the trigger is one of the other function. */
const SET_JUST_NOW = `(strpos(context, ${quoteLiteral(`${MODULE_SCHEMA}.${FUNCTION_PREFIXES.setFull}`)}) > 0)`;

/**
 * Whether this transaction has waited for a publication in vain. It then holds a lock that nobody but the owner of the
 * schema can take.
 */
const HAS_WAITED = `EXISTS (SELECT FROM pg_locks l
                        WHERE l.locktype = 'relation' AND l.relation = ${quoteLiteral(LOCK_VIEW_SQL)}::regclass
                          AND l.pid = pg_backend_pid() AND l.mode = 'RowShareLock')`;

/** Whether table `c` has a virtual generated column (PostgreSQL 18), which cannot be published together with FULL. */
const HAS_VIRTUAL = `EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attgenerated = 'v' AND NOT a.attisdropped)`;

/** Whether table `c` has a primary key. */
const HAS_KEY = "EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)";

/**
 * Whether this transaction has locked table `c` exclusively already. ATTACH PARTITION, VALIDATE CONSTRAINT and others
 * take weaker locks: setting the identity would then wait for a stronger one, and keep everybody off the table until
 * the transaction ends.
 */
const LOCKED_BY_COMMAND = `EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                        WHERE d.datname = current_database() AND l.locktype = 'relation' AND l.relation = c.oid
                          AND l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND l.granted)`;

/** Whether `p` is the module's publication, or the one about to take its place; not somebody else's of that name. */
function isOwn(publication: string): string {
  return `p.pubname IN (${quoteLiteral(publication)}, ${quoteLiteral(ownNames(publication).nextPublication)})
                        AND p.pubowner = ${SCHEMA_OWNER}
                        AND ${isMarkSql("obj_description(p.oid, 'pg_publication')")}`;
}

/** Whether publication `p` lists the table, or a partitioned table above it. `table` is an expression for its oid. */
function lists(table: string): string {
  return `EXISTS (SELECT FROM pg_publication_rel r
                        WHERE r.prpubid = p.oid AND r.prrelid = ANY (${withAncestors(table)}))`;
}

/** The oids of the table and the partitioned tables above it. `table` is an expression for its oid. */
function withAncestors(table: string): string {
  return `ARRAY(SELECT relid::oid FROM pg_partition_ancestors(${table})) || ${table}`;
}

/**
 * FROM items: the tracked tables of the current command as `c`, with their schemas as `n`. Besides the tables that the
 * command names these are the partitions below them, because ATTACH PARTITION names only the parent. They are read from
 * pg_inherits, which locks none of them.
 */
function tablesOfCommand(selection: Selection): string {
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
    selection.tables !== undefined
      ? named(selection.tables)
      : selection.schemas !== undefined
        ? inSchemas(selection.schemas)
        : "fn.nspname !~ '^pg_' AND fn.nspname <> 'information_schema'";
  const family = (condition: string): string => `EXISTS (
        SELECT FROM pg_class fc JOIN pg_namespace fn ON fn.oid = fc.relnamespace
         WHERE fc.oid = ANY (${withAncestors("c.oid")}) AND ${condition})`;
  const excluded = selection.excludeTables ?? [];
  // An array, not a join: the planner does not know how few tables these are, and for a join it would read all of
  // pg_class in every CREATE TABLE of the app.
  return `pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> ${quoteLiteral(MODULE_SCHEMA)}
        AND c.oid = ANY (ARRAY(
          WITH RECURSIVE touched AS (
            SELECT d.objid AS relid FROM pg_event_trigger_ddl_commands() d
             WHERE d.classid = 'pg_class'::regclass AND d.object_type = 'table' AND NOT d.in_extension
            UNION
            SELECT p.relid FROM touched t CROSS JOIN LATERAL (
              SELECT h.inhrelid AS relid FROM pg_inherits h
               WHERE h.inhparent = t.relid AND (SELECT relkind FROM pg_class WHERE oid = t.relid) = 'p' OFFSET 0) p)
          SELECT relid FROM touched))
        AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
        AND NOT EXISTS (SELECT FROM pg_depend e
                         WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
        AND ${family(asked)}
        ${excluded.length === 0 ? "" : `AND NOT ${family(named(excluded))}`}`;
}
