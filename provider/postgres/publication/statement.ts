import { heldByAutovacuumSql, heldHereSql, LOCK_POLICY } from "../sql/lockPolicy";
import { OVERTAKEN_SQL, PARAMETERS_SQL, returnSql, runBlock, runTogether } from "../sql/block";
import type { Catalog, PublicationFacts } from "../../contract/catalog";
import type { Run } from "../../contract/kind";
import { nameTable } from "../catalog/tableIndex";
import type { LockedTables } from "../catalog/lockedTables";
import type { Session } from "../../contract/session";
import { quoteIdentifier } from "../sql/quote";
import { joinSql } from "../sql/joining";

/** What became of the tables that {@link changeMembers} was given. */
export interface ChangedMembers extends LockedTables {
  /** Tables PostgreSQL refused, with its reason: at most ten. */
  readonly refused: readonly { readonly oid: number; readonly reason: string }[];
}

/** Logs what PostgreSQL refused, table by table. */
export function logRefused(
  { refused }: ChangedMembers,
  catalog: Catalog,
  publication: string,
  run: Pick<Run, "log">,
): void {
  for (const { oid, reason } of refused)
    run.log(`Publication ${publication}, table ${nameTable(catalog, oid)}: ${reason}.`);
}

const NOTHING: ChangedMembers = { locked: 0, lockedTables: [], refused: [] };

export interface MemberOrder {
  readonly publication: string;
  readonly action: "ADD" | "DROP";
  /** What is a member already, or no longer, is left out; so is what has been dropped. */
  readonly tables: readonly number[];
}

/**
 * Adds tables to a publication, or takes them out. A statement concerns 100 tables and holds locks on no more than
 * these; if one of them is busy, each table gets a statement of its own. Why 100: the server's work grows with the
 * square of the tables in a statement, so in statements of 500 each table costs four times as much.
 *
 * The lock that this takes on a table lets reads and writes pass; it queues behind VACUUM, ANALYZE and CREATE INDEX
 * CONCURRENTLY only. While it waits, though, it holds the publication, and event triggers that want to add a new table
 * queue behind it. Hence each attempt waits 100 ms; only tables that an autovacuum holds get two attempts of 1.5 s,
 * which make the autovacuum yield.
 */
export async function changeMembers(session: Session, order: MemberOrder): Promise<ChangedMembers> {
  if (order.tables.length === 0) return NOTHING;
  const block = membersBlock(session.serverVersion);
  return (await runBlock<ChangedMembers>(session, block, order)) ?? NOTHING;
}

/** Drops a publication, if it still exists. No table can be left in a publication that is gone. */
export async function dropPublication(
  session: Session,
  { name }: Pick<PublicationFacts, "name">,
): Promise<void> {
  await runTogether(session, [`DROP PUBLICATION IF EXISTS ${quoteIdentifier(name)}`]);
}

// ONLY: otherwise PostgreSQL would also take the children of an inheritance parent. Partitions go with their parent
// anyway.
const membersBlock = (serverVersion: number): string => `
DECLARE
  pub name := ${PARAMETERS_SQL} ->> 'publication';
  action text := ${PARAMETERS_SQL} ->> 'action';
  tables oid[] := ARRAY(SELECT value::oid FROM jsonb_array_elements_text(${PARAMETERS_SQL} -> 'tables'));
  deadline timestamptz := clock_timestamp() + interval '${LOCK_POLICY.patience}';
  refused jsonb := '[]';
  given_up oid[] := '{}';
  pass int := 0;
  -- One element per statement.
  relids oid[];
  names text[];
  vacuumed bool[];
  remaining int;
BEGIN
  LOOP
    -- In one statement: the names of up to 100 tables at first, of one each later on.
    WITH member AS MATERIALIZED (
      SELECT r.prrelid FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = pub),
    busy AS MATERIALIZED (
      SELECT DISTINCT l.relation FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
       WHERE pass IN (3, 5) AND ${heldHereSql("l")} AND ${heldByAutovacuumSql("l", "a")}),
    wanted AS (
      SELECT c.oid, format('ONLY %I.%I', n.nspname, c.relname) AS name, v.relation IS NOT NULL AS vacuumed,
             (row_number() OVER (ORDER BY c.oid) - 1) / CASE WHEN pass = 0 THEN 100 ELSE 1 END AS batch
        FROM unnest(tables) AS t (relid)
        JOIN pg_class c ON c.oid = t.relid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN busy v ON v.relation = c.oid
       -- No join: nothing tells the planner how many there are, and it would compare each with each.
       WHERE (c.oid IN (SELECT m.prrelid FROM member m)) = (action = 'DROP') AND c.oid <> ALL (given_up)
         AND EXISTS (SELECT FROM pg_publication p WHERE p.pubname = pub)),
    statement AS (
      SELECT w.batch, min(w.oid) AS relid, string_agg(w.name, ', ' ORDER BY w.oid) AS names,
             bool_or(w.vacuumed) AS vacuumed, count(*) AS tables
        FROM wanted w GROUP BY w.batch)
    SELECT array_agg(s.relid ORDER BY s.batch), array_agg(s.names ORDER BY s.batch),
           array_agg(s.vacuumed ORDER BY s.batch), sum(s.tables)
      INTO relids, names, vacuumed, remaining FROM statement s;
    EXIT WHEN relids IS NULL OR (pass > 1 AND clock_timestamp() > deadline);

    FOR i IN 1 .. cardinality(names) LOOP
      EXIT WHEN pass > 0 AND clock_timestamp() > deadline;
      BEGIN
        PERFORM set_config('lock_timeout', CASE WHEN vacuumed[i] THEN '${LOCK_POLICY.autovacuumAttempt}' ELSE '${LOCK_POLICY.attempt}' END, true);
        ${joinSql(serverVersion, "SELECT p.oid FROM pg_publication p WHERE p.pubname = pub")}
        EXECUTE format('ALTER PUBLICATION %I %s TABLE ', pub, action) || names[i];
      EXCEPTION
        WHEN lock_not_available OR deadlock_detected OR undefined_table OR undefined_object OR duplicate_object THEN NULL;
        WHEN others THEN
          -- One unfit table fails the statement for all of its batch: the next pass finds out which.
          IF pass > 0 AND NOT (${OVERTAKEN_SQL}) THEN
            given_up := given_up || relids[i];
            IF jsonb_array_length(refused) < 10 THEN
              refused := refused || jsonb_build_object('oid', relids[i]::int8, 'reason', SQLERRM);
            END IF;
          END IF;
      END;
      COMMIT;
    END LOOP;
    pass := pass + 1;
    IF pass > 2 THEN PERFORM pg_sleep(least(0.1 * pass, 1)); END IF;
    COMMIT;
  END LOOP;
  ${returnSql(`jsonb_build_object('locked', coalesce(remaining, 0),
    'lockedTables', coalesce(to_jsonb(relids[1:5]::int8[]), '[]'), 'refused', refused)`)};
END`;
