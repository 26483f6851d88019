import { isMarkSql } from "../ownership/mark";
import { ownNames } from "../ownership/ownNames";
import { quoteLiteral } from "../sql/quote";

/*
 * Which tables the function of the event trigger looks at. Their number, and the time it takes to find them, depend on the
 * command alone and not on the number of tables or locks. A LATERAL with OFFSET 0, and an ARRAY instead of EXISTS, is a
 * look-up by index for each table; the planner, which does not know how few they are, would read whole catalogs.
 */

/**
 * PL/pgSQL that finds the tables that the command names: `touched`, and those that it has created: `created`. `extends`
 * says whether it may have changed more.
 */
export const NAMED_SQL = `SELECT coalesce(array_agg(d.objid) FILTER (WHERE d.object_type = 'table'), '{}'),
         coalesce(array_agg(d.objid) FILTER (WHERE d.command_tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')), '{}'),
         coalesce(bool_or(d.command_tag = 'ALTER SCHEMA' OR c.relhassubclass OR c.relkind = 'p'), false)
    INTO touched, created, extends
    FROM pg_event_trigger_ddl_commands() d
    LEFT JOIN LATERAL (
      SELECT r.relkind, r.relhassubclass FROM pg_class r WHERE r.oid = d.objid AND d.object_type = 'table' OFFSET 0) c ON true
   WHERE NOT d.in_extension;`;

/**
 * PL/pgSQL that adds to `touched` what the command may have changed without naming it:
 *
 * - the tables of a renamed schema;
 * - a detached partition. DETACH PARTITION names the parent only, and leaves nothing behind but the row of pg_class that
 *   this transaction has written. So if a partitioned table is altered, those rows are looked for;
 * - the tables below, because ATTACH PARTITION and the renaming of a parent name the parent alone. They are read from
 *   pg_inherits, which locks none of them.
 */
export const FURTHER_SQL = `touched := ARRAY(
      WITH RECURSIVE command AS MATERIALIZED (
        SELECT d.objid, d.object_type, d.command_tag FROM pg_event_trigger_ddl_commands() d),
      reached AS (
        SELECT t.relid FROM unnest(touched) t (relid)
        UNION
        SELECT e.relid FROM (
          SELECT r.oid AS relid FROM pg_class r
           WHERE (SELECT bool_or(command_tag = 'ALTER SCHEMA') FROM command)
             AND r.relnamespace IN (SELECT objid FROM command WHERE object_type = 'schema') AND r.relkind IN ('r', 'p')
          UNION ALL
          SELECT r.oid FROM pg_class r
           WHERE (SELECT bool_or(command_tag = 'ALTER TABLE') FROM command)
             AND EXISTS (SELECT FROM pg_class p WHERE p.oid = ANY (touched) AND p.relkind = 'p')
             AND r.relkind IN ('r', 'p') AND NOT r.relispartition AND r.relreplident = 'f' AND ${writtenHereSql("r")}) e
        UNION
        SELECT b.relid FROM reached t CROSS JOIN LATERAL (
          SELECT i.inhrelid AS relid FROM pg_inherits i WHERE i.inhparent = t.relid OFFSET 0) b)
      SELECT relid FROM reached);`;

/**
 * The query for the tables in `touched` that can be published. Its columns, besides those of pg_class:
 *
 * - `parents`: the tables right above it, of which it is a partition or inherits;
 * - `generated`, `virtual`: whether it has generated columns, and virtual ones (PostgreSQL 18), which cannot be published
 *   together with FULL;
 * - `lists`, `list_names`: the publications of the module that are lists, first the one that consumers read;
 * - `everything`: whether the module has one for all tables;
 * - `listed`: the publications that list the table.
 */
export function tablesSql(publication: string): string {
  return `SELECT c.*, own.*,
           ARRAY(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid) AS parents,
           'v' = ANY (g.kinds) AS virtual, cardinality(g.kinds) > 0 AS generated,
           ARRAY(SELECT r.prpubid FROM pg_publication_rel r WHERE r.prrelid = c.oid) AS listed
      FROM (SELECT coalesce(array_agg(p.oid ORDER BY p.pubname <> ${quoteLiteral(publication)})
                              FILTER (WHERE NOT p.puballtables), '{}') AS lists,
                   array_agg(p.pubname ORDER BY p.pubname <> ${quoteLiteral(publication)})
                     FILTER (WHERE NOT p.puballtables) AS list_names,
                   coalesce(bool_or(p.puballtables), false) AS everything
              FROM pg_publication p WHERE ${isOwn(publication)}) own
      CROSS JOIN unnest(touched) t (relid)
      CROSS JOIN LATERAL (
        SELECT r.oid, n.nspname, r.relname, r.relkind, r.relreplident, r.relowner, r.relispartition
          FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
         WHERE r.oid = t.relid AND r.relkind IN ('r', 'p') AND r.relpersistence = 'p' OFFSET 0) c
      CROSS JOIN LATERAL (
        SELECT ARRAY(SELECT a.attgenerated FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped) AS kinds OFFSET 0) g`;
}

/** Whether `p` is the module's publication, or the one about to take its place; not somebody else's of that name. */
function isOwn(publication: string): string {
  // obj_description is a function in SQL, and its call takes many times as long.
  return `p.pubname IN (${quoteLiteral(publication)}, ${quoteLiteral(ownNames(publication).nextPublication)})
                 AND pg_get_userbyid(p.pubowner) = current_user
                 AND ${isMarkSql("(SELECT d.description FROM pg_description d WHERE d.objoid = p.oid AND d.classoid = 'pg_publication'::regclass AND d.objsubid = 0)")}`;
}

/**
 * Whether this transaction, or a subtransaction of it, has written row `row` of a catalog: the transaction that wrote it
 * has not ended, and nobody else sees such a row.
 */
export function writtenHereSql(row: string): string {
  const current = "pg_current_xact_id()";
  const since = `(age(${current}::xid) - age(${row}.xmin))`;
  return `CASE WHEN ${since} >= 0
                  THEN pg_xact_status((${current}::text::int8 + ${since})::text::xid8) = 'in progress' END`;
}
