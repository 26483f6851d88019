/**
 * PL/pgSQL that judges a table: where the table's publications do not go together with its replica identity, it raises
 * the error that an UPDATE or DELETE of the app would get. Otherwise it raises nothing.
 *
 * It reads catalogs only. An EXPLAIN would run the server's own check, but it also evaluates the IMMUTABLE functions in
 * defaults, rules, generated columns and domains of the table. They belong to the table's owner, and would run with our
 * rights.
 *
 * The rules are those of PostgreSQL: CheckCmdReplicaIdentity (executor/execReplication.c), RelationBuildPublicationDesc
 * (utils/cache/relcache.c), pub_rf_contains_invalid_column and pub_contains_invalid_column
 * (commands/publicationcmds.c). Which version runs is seen when the block runs and not when it is written: a function
 * of an event trigger outlives an upgrade of the server.
 *
 * @param table expression for the table's name, as the error shows it
 * @param oid expression for the same table's oid
 */
export function judgeSql(table: string, oid: string): string {
  return `DECLARE
              judged_oid CONSTANT oid := ${oid};
              fault_command text;
              fault_publication name;
              fault_rank int4;
            BEGIN
              IF to_regclass('pg_catalog.pg_publication_namespace') IS NULL THEN
                ${FAULT_BEFORE_15};
              ELSIF ${IS_SUSPECT} THEN
                ${FAULT};
              END IF;
              IF fault_rank IS NOT NULL THEN
                RAISE EXCEPTION USING
                  ERRCODE = CASE fault_rank WHEN 4 THEN 'object_not_in_prerequisite_state' ELSE 'invalid_column_reference' END,
                  MESSAGE = format(CASE fault_command WHEN 'delete' THEN 'cannot delete from table %s: publication "%s" %s'
                                                      ELSE 'cannot update table %s: publication "%s" %s' END,
                    ${table}, fault_publication, CASE fault_rank
                      WHEN 1 THEN 'has a row filter with columns that are not part of the replica identity'
                      WHEN 2 THEN 'has a column list that does not cover the replica identity'
                      WHEN 3 THEN 'leaves out generated columns of the replica identity'
                      ELSE format('publishes %ss, and the table has no replica identity', fault_command) END);
              END IF;
            END;`;
}

/**
 * FROM items: the judged table as `c`, the columns that name a row of it as `identity`, and as `lineage` its oid and
 * those of the partitioned tables above it, from the table to the root. Without rows for a table that PostgreSQL never
 * publishes, and for a partitioned table, whose partitions are checked instead.
 */
const JUDGED = `pg_class c
  CROSS JOIN LATERAL (SELECT CASE WHEN c.relispartition
      THEN ARRAY(SELECT a.relid::oid FROM pg_partition_ancestors(c.oid) WITH ORDINALITY a (relid, n) ORDER BY a.n)
      ELSE ARRAY[c.oid] END AS oids) lineage
  LEFT JOIN LATERAL (
    SELECT (i.indkey::int2[])[0 : i.indnkeyatts - 1] AS columns FROM pg_index i
     WHERE i.indrelid = c.oid AND i.indislive AND i.indisvalid AND i.indisunique AND i.indimmediate AND i.indpred IS NULL
       AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
     LIMIT 1) identity ON true`;

const IS_JUDGED = "c.oid = judged_oid AND c.relkind = 'r' AND c.relpersistence = 'p'";

/** Rows for the commands that a publication publishes, in the order in which the errors are reported. */
const COMMANDS =
  "LATERAL (VALUES (1, 'delete', p.pubdelete), (2, 'update', p.pubupdate)) command (n, name, published)";

/** Whether the table has no identity that names a row. */
const NAMELESS = "c.relreplident <> 'f' AND identity.columns IS NULL";

/**
 * From PostgreSQL 15 on: whether the table could have a fault at all. Most tables have none, and looking for it takes
 * twice as long as all the rest.
 */
const IS_SUSPECT = `EXISTS (SELECT FROM ${JUDGED} WHERE ${IS_JUDGED} AND (${NAMELESS}
    OR EXISTS (SELECT FROM pg_publication_rel r
                WHERE r.prrelid = ANY (lineage.oids) AND (r.prattrs IS NOT NULL OR r.prqual IS NOT NULL))
    OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '')))`;

/**
 * From PostgreSQL 15 on. The first fault of the table; `rank` is the order in which the server checks.
 *
 * - A partition is published as the topmost partitioned table above it that is in the publication, if the publication
 *   has publish_via_partition_root: column list and row filter of that table count. Columns are compared by name.
 * - The columns of a row filter are found in pg_depend. Each column of a column list has one row there too, so a column
 *   that is in the list is in the filter as well only if it has two.
 * - Publishing generated columns is an option from PostgreSQL 18 on (pubgencols). Before, no generated column counts.
 */
const FAULT = `SELECT command.name AS command, p.pubname, broken.rank INTO fault_command, fault_publication, fault_rank
    FROM ${JUDGED}
    CROSS JOIN pg_publication p
    CROSS JOIN LATERAL (SELECT to_jsonb(p) ->> 'pubgencols' AS generated, coalesce((
      SELECT above.oid FROM unnest(lineage.oids) WITH ORDINALITY above (oid, n)
       WHERE p.pubviaroot AND above.n > 1 AND ${isIn("p", "ARRAY[above.oid]")}
       ORDER BY above.n DESC LIMIT 1), c.oid) AS oid) published
    LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = published.oid
    CROSS JOIN ${COMMANDS}
    CROSS JOIN LATERAL (VALUES
      (1, r.prqual IS NOT NULL AND c.relreplident <> 'f' AND EXISTS (
        SELECT FROM pg_depend d JOIN pg_attribute f ON f.attrelid = d.refobjid AND f.attnum = d.refobjsubid
         WHERE d.classid = 'pg_publication_rel'::regclass AND d.objid = r.oid
           AND d.refclassid = 'pg_class'::regclass AND d.refobjid = r.prrelid AND d.refobjsubid > 0
           AND NOT EXISTS (SELECT FROM pg_attribute a
                            WHERE a.attrelid = c.oid AND a.attname = f.attname AND a.attnum = ANY (identity.columns))
         GROUP BY f.attnum HAVING count(*) > CASE WHEN f.attnum = ANY (r.prattrs::int2[]) THEN 1 ELSE 0 END)),
      (2, r.prattrs IS NOT NULL AND (c.relreplident = 'f' OR EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (identity.columns)
           AND NOT EXISTS (SELECT FROM pg_attribute l
                            WHERE l.attrelid = r.prrelid AND l.attname = a.attname AND l.attnum = ANY (r.prattrs::int2[]))))),
      (3, published.generated IS NOT NULL AND EXISTS (
        SELECT FROM pg_attribute a
         WHERE a.attrelid = c.oid AND NOT a.attisdropped
           AND (a.attgenerated = 'v' OR a.attgenerated = 's' AND published.generated <> 's')
           AND (c.relreplident = 'f' OR r.prattrs IS NULL AND a.attnum = ANY (identity.columns)))),
      (4, ${NAMELESS})) broken (rank, applies)
   WHERE ${IS_JUDGED} AND command.published AND broken.applies AND ${isIn("p", "lineage.oids")}
   ORDER BY command.n, broken.rank, p.pubname LIMIT 1`;

/** PostgreSQL 14 has neither schemas in publications nor column lists nor row filters. */
const FAULT_BEFORE_15 = `SELECT command.name AS command, p.pubname, 4 AS rank INTO fault_command, fault_publication, fault_rank
    FROM ${JUDGED}
    CROSS JOIN pg_publication p
    CROSS JOIN ${COMMANDS}
   WHERE ${IS_JUDGED} AND command.published AND ${NAMELESS}
     AND (p.puballtables OR EXISTS (
       SELECT FROM pg_publication_rel m WHERE m.prpubid = p.oid AND m.prrelid = ANY (lineage.oids)))
   ORDER BY command.n, p.pubname LIMIT 1`;

/** Whether one of the tables is in the publication: listed, by its schema, or because all tables are. */
function isIn(publication: string, oids: string): string {
  return `(${publication}.puballtables
      OR EXISTS (SELECT FROM pg_publication_rel m WHERE m.prpubid = ${publication}.oid AND m.prrelid = ANY (${oids}))
      OR EXISTS (SELECT FROM pg_publication_namespace s JOIN pg_class t ON t.relnamespace = s.pnnspid
                  WHERE s.pnpubid = ${publication}.oid AND t.oid = ANY (${oids})))`;
}
