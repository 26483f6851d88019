import { LOCK_POLICY } from "../sql/lockPolicy";
import { IN_BLOCK_SQL } from "../sql/block";
import type { Catalog } from "../../contract/catalog";
import { isMarkSql } from "../ownership/mark";
import { parseTableName } from "../catalog/tableNames";
import type { Selection } from "../selection/selection";
import { judgeSql } from "../sql/judge";
import {
  identityIndexSql,
  insertRecordSql,
  RECORD,
  recordAsJsonSql,
  recordFromJsonSql,
} from "../sql/recordTable";
import { ownNames } from "../ownership/ownNames";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { joinSql } from "../sql/joining";
import { ownSchemas } from "../ownership/ownObjects";

/**
 * The function that sets the identity of new tables to FULL. It leaves a table alone whose virtual generated columns
 * rule FULL out. A published table that gets such a column in this command would refuse every UPDATE from then on, so
 * the function sets its identity back to DEFAULT.
 */
export function identityFunction(catalog: Catalog, selection: Selection, publication: string): string[] {
  const { schema } = ownNames(publication);
  return triggerFunction(
    schema,
    "track_identity",
    "",
    `
DECLARE found record;
BEGIN
  ${SKIP_OWN_CHANGES}
  FOR found IN
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident,
           ${identityIndexSql("c")} AS index_name,
           CASE WHEN v.virtual THEN 'DEFAULT' ELSE 'FULL' END AS clause
      FROM ${tablesOfCommand(catalog, selection, schema)}
      CROSS JOIN LATERAL (SELECT ${HAS_VIRTUAL} AS virtual) v
     WHERE CASE WHEN v.virtual THEN c.relreplident = 'f' AND EXISTS (SELECT FROM pg_publication p
                  WHERE ${isOwn(publication)} AND (p.puballtables OR ${lists("c.oid")}))
                ELSE c.relreplident <> 'f' END
       AND ${LOCKED_BY_COMMAND}
  LOOP
    BEGIN
      PERFORM set_config(${quoteLiteral(`${schema}.before`)},
        ${recordAsJsonSql({ relid: "found.oid::int8", previous: "found.relreplident", index: "found.index_name" })}::text, true);
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
 * The function that records the previous identity of a new table, and adds the table to the publication now that its
 * identity is FULL. The previous identity comes from a setting that whoever runs the DDL could forge. That is harmless:
 * it is used only for a table of their own.
 */
export function publishFunction(catalog: Catalog, selection: Selection, publication: string): string[] {
  const { schema } = ownNames(publication);
  const busy = quoteLiteral(`${schema}.busy`);
  return triggerFunction(
    schema,
    "track_publication",
    "SECURITY DEFINER",
    `
DECLARE
  found record;
  list record;
BEGIN
  ${SKIP_OWN_CHANGES}
  FOR found IN
    SELECT c.oid, n.nspname, c.relname,
           c.relreplident = 'f' AND NOT ${HAS_VIRTUAL} AS ready,
           c.relreplident = 'd' AND ${HAS_VIRTUAL}
             AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS unfit
      FROM ${tablesOfCommand(catalog, selection, schema)}
  LOOP
    BEGIN
      ${insertRecordSql(
        schema,
        `SELECT b.*
          FROM ${recordFromJsonSql(`nullif(current_setting(${quoteLiteral(`${schema}.before`)}, true), '')::jsonb`, "b")}
         WHERE b.${RECORD.relid} = found.oid AND found.ready
        ON CONFLICT DO NOTHING`,
      )};
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
        CONTINUE WHEN current_setting(${busy}, true) = statement_timestamp()::text;
        IF found.ready AND NOT list.listed THEN
          ${joinSql(catalog.server.version, "list.oid")}
          EXECUTE format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I', list.pubname, found.nspname, found.relname);
        ELSIF found.unfit AND list.listed THEN
          EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %I.%I', list.pubname, found.nspname, found.relname);
        END IF;
      EXCEPTION WHEN others THEN
        -- Another migration that has added a table holds the publication until it commits: do not wait again for each
        -- table.
        IF SQLSTATE = '55P03' THEN PERFORM set_config(${busy}, statement_timestamp()::text, true); END IF;
        RAISE WARNING '%: publication of %.%: % (%)', list.pubname, found.nspname, found.relname, SQLERRM, SQLSTATE;
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
 * it.
 */
function triggerFunction(schema: string, name: string, security: string, body: string): string[] {
  const call = `${quoteIdentifier(schema)}.${name}()`;
  return [
    `CREATE OR REPLACE FUNCTION ${call} RETURNS event_trigger LANGUAGE plpgsql ${security}
       SET search_path = pg_catalog, pg_temp SET lock_timeout = '${LOCK_POLICY.attempt}' AS ${quoteLiteral(body)}`,
    `REVOKE ALL ON FUNCTION ${call} FROM PUBLIC`,
  ];
}

/**
 * Returns at once where the module itself alters a table. It does so with thousands of tables in one block, records and
 * publishes them itself, and would spend most of the time here.
 */
const SKIP_OWN_CHANGES = `IF ${IN_BLOCK_SQL} THEN RETURN; END IF;`;

/** Whether table `c` has a virtual generated column (PostgreSQL 18), which cannot be published together with FULL. */
const HAS_VIRTUAL = `EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attgenerated = 'v' AND NOT a.attisdropped)`;

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
function tablesOfCommand(catalog: Catalog, selection: Selection, schema: string): string {
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
  const own = [...new Set([...ownSchemas(catalog), schema])];
  // An array, not a join: the planner does not know how few tables these are, and for a join it would read all of
  // pg_class in every CREATE TABLE of the app.
  return `pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN (${own.map(quoteLiteral).join(", ")})
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
