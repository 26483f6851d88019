import type { Session } from "../../provider/contract/session";
import type { Statistics, TableStatistics } from "../../report/plan/statistics";

/** Most bytes of one piece of an out-of-line value (TOAST_MAX_CHUNK_SIZE). */
const PIECE = 1996;

/** Bytes of a page. */
const PAGE = 8192;

/** One table as it travels. */
type Row = readonly [
  oid: number,
  rows: number,
  pages: number,
  inserts: number,
  updates: number,
  hotUpdates: number,
  deletes: number,
  toastPages: number,
  toastRows: number,
  toastDeletes: number,
  indexes: number,
  width: number | null,
];

/** Of how many tables the widths of the columns are read: those with the most changes. That is most of the work. */
const EXAMINED = 1000;

/** From so many pages on, the pages that a table has say how wide its rows are. */
const MANY_PAGES = 10;

/** Bytes that a row takes besides its values: its header and its place on the page. */
const ROW_OVERHEAD = 28;

/*
 * The counters are read by the functions below the statistics views, which need no join for each table. Widths come from
 * pg_stats, which shows what our role may read.
 */
const STATEMENT = `
WITH rel AS MATERIALIZED (
  SELECT c.oid, n.nspname, c.relname, c.reltoastrelid, c.reltuples, c.relpages,
         pg_catalog.pg_stat_get_tuples_updated(c.oid) AS updates,
         pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS deletes
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'),
width AS MATERIALIZED (
  SELECT r.oid, (SELECT sum(s.avg_width * (1 - s.null_frac))::float8
                   FROM pg_catalog.pg_stats s
                  WHERE s.schemaname = r.nspname AND s.tablename = r.relname AND NOT s.inherited) AS bytes
    FROM (SELECT * FROM rel ORDER BY updates + deletes DESC, relpages DESC LIMIT ${EXAMINED}) r),
idx AS MATERIALIZED (SELECT indrelid, count(*) AS number FROM pg_catalog.pg_index GROUP BY indrelid)
SELECT extract(epoch FROM pg_catalog.clock_timestamp() - (
         SELECT greatest(d.stats_reset, b.stats_reset)
           FROM pg_catalog.pg_stat_bgwriter b
           LEFT JOIN pg_catalog.pg_stat_database d ON d.datname = pg_catalog.current_database()))::float8
         AS "windowSeconds",
       (SELECT coalesce(json_agg(json_build_array(
                 r.oid::int8,
                 -- The counter is lost in a crash; the other one is as old as the last VACUUM or ANALYZE.
                 greatest(coalesce(nullif(pg_catalog.pg_stat_get_live_tuples(r.oid), 0), r.reltuples), 0)::float8,
                 r.relpages,
                 pg_catalog.pg_stat_get_tuples_inserted(r.oid),
                 r.updates,
                 pg_catalog.pg_stat_get_tuples_hot_updated(r.oid),
                 r.deletes,
                 coalesce(t.relpages, 0),
                 coalesce(pg_catalog.pg_stat_get_live_tuples(t.oid), 0),
                 coalesce(pg_catalog.pg_stat_get_tuples_deleted(t.oid), 0),
                 coalesce(idx.number, 0),
                 width.bytes)), '[]')
          FROM rel r
          LEFT JOIN pg_catalog.pg_class t ON t.oid = r.reltoastrelid
          LEFT JOIN idx ON idx.indrelid = r.oid
          LEFT JOIN width ON width.oid = r.oid) AS tables`;

/** The statistics of all ordinary tables. Takes one statement, for any number of tables. */
export async function readStatistics(session: Pick<Session, "read">): Promise<Statistics> {
  const [row] = await session.read<{ windowSeconds: number | null; tables: readonly Row[] }>(STATEMENT);
  if (row === undefined) throw new Error("the statistics query returned no row");
  return {
    windowSeconds: row.windowSeconds,
    tables: new Map(row.tables.map((table) => [table[0], toStatistics(table)])),
  };
}

function toStatistics(row: Row): TableStatistics {
  const [
    ,
    rows,
    pages,
    inserts,
    updates,
    hotUpdates,
    deletes,
    toastPages,
    toastRows,
    pieceDeletes,
    indexes,
    width,
  ] = row;
  // The counters are lost in a crash; then the number of pages, which VACUUM sets, is the next best.
  const pieces = toastRows > 0 ? toastRows : (toastPages * PAGE) / PIECE;
  const piecesPerRow = rows === 0 ? 0 : pieces / rows;
  const onPages = rows > 0 && pages >= MANY_PAGES ? Math.max(0, (pages * PAGE) / rows - ROW_OVERHEAD) : null;
  return {
    rows,
    inserts,
    updates,
    hotUpdates,
    deletes,
    pieceDeletes,
    inlineBytes: width ?? onPages,
    piecesPerRow,
    // The last piece of a value is half full on average.
    outOfLineBytes: outOfLineBytes(piecesPerRow),
    indexes,
  };
}

function outOfLineBytes(piecesPerRow: number): number {
  return Math.max(piecesPerRow / 2, piecesPerRow - 0.5) * PIECE;
}
