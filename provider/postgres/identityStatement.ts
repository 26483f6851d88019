import { PARAMETERS_SQL, returnSql, runBlock } from "./block";
import { quoteIdentifier, quoteLiteral } from "./names";
import type { Session } from "./session";

/** What became of the tables that {@link changeIdentities} was given. */
export interface IdentityChanges {
  /** Tables that others held a lock on until the time was up. */
  readonly locked: number;
  /** Tables whose change PostgreSQL refused, with its reason: at most ten. The tables are as they were. */
  readonly refused: readonly { readonly oid: number; readonly reason: string }[];
  /** Tables whose index of the recorded identity is gone: they got the default. At most ten. */
  readonly indexGone: readonly { readonly oid: number; readonly index: string }[];
}

export interface IdentityOrder {
  /** The module's schema, which holds the record. */
  readonly schema: string;
  /** Tables to set to FULL. */
  readonly full: readonly number[];
  /** Tables of the record that get back the identity noted there, and leave the record. */
  readonly restore: readonly number[];
}

/** How long one call goes on trying for tables that are locked. */
const PATIENCE = "10 s";

/**
 * Sets and restores the replica identity of any number of tables in one statement, one transaction per table, so that
 * no more than one table is ever locked, and that one at most 100 ms before the attempt is given up: the app queues
 * behind it for no longer. Goes over the tables that were locked again and again, for 10 s.
 *
 * - The record comes first: every table gets its row with the identity it has, committed before any is changed. So a
 *   kill at any point loses no previous identity, and a table that was FULL before us is known to have been.
 * - A lock timeout below one second never cancels an autovacuum (deadlock_timeout is 1 s and not ours to change):
 *   attempts of 1.5 s are made, but only on tables that nobody but an autovacuum worker holds. Its backend has no user,
 *   which every role can see.
 * - Commits are asynchronous. Each is in the write-ahead log after the record, and the last write of the block commits
 *   normally, which flushes all.
 * - One block at a time: the server works on for up to two seconds for a process that was killed, and would set tables
 *   to FULL again which the destroy that follows has put back.
 * - Where there are publications, the server itself judges each change in the transaction that makes it: a table on
 *   which UPDATE or DELETE would now be refused is rolled back and reported. EXPLAIN runs that check, and no row.
 */
export async function changeIdentities(session: Session, order: IdentityOrder): Promise<IdentityChanges> {
  try {
    const changes = await runBlock<IdentityChanges>(session, identityBlock(order.schema), {
      full: order.full,
      restore: order.restore,
      patience: PATIENCE,
    });
    return changes ?? { locked: 0, refused: [], indexGone: [] };
  } catch (error) {
    await session.query("SELECT pg_catalog.pg_advisory_unlock_all()").catch(() => undefined);
    throw error;
  }
}

function identityBlock(schema: string): string {
  const record = `${quoteIdentifier(schema)}.identity`;
  const turn = `hashtext('pulumi-neon-bemi'), hashtext(${quoteLiteral(schema)})`;
  return `
DECLARE
  wanted oid[] := ARRAY(SELECT value::oid FROM jsonb_array_elements_text(${PARAMETERS_SQL} -> 'full'));
  leaving oid[] := ARRAY(SELECT value::oid FROM jsonb_array_elements_text(${PARAMETERS_SQL} -> 'restore'));
  deadline timestamptz := clock_timestamp() + (${PARAMETERS_SQL} ->> 'patience')::interval;
  judged boolean := EXISTS (SELECT FROM pg_publication);
  refused jsonb := '[]';
  index_gone jsonb := '[]';
  given_up oid[] := '{}';
  pass int := 0;
  -- What is to be done, one element per table. Variables of their own: indexing an array in a record is linear.
  relids oid[];
  names text[];
  statements text[];
  timeouts text[];
  particular bool[];
  restoring bool[];
  lost name[];
  judging bool[];
  again bool;
  setting text;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '15s', true);
  PERFORM pg_advisory_lock(${turn});
  DELETE FROM ${record} r WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = r.relid);
  INSERT INTO ${record} (relid, previous, index_name)
    SELECT c.oid, c.relreplident, x.relname
      FROM pg_class c
      LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident
      LEFT JOIN pg_class x ON x.oid = i.indexrelid
     WHERE c.oid = ANY (wanted)
    ON CONFLICT DO NOTHING;
  COMMIT;

  LOOP
    pass := pass + 1;
    -- Those that somebody holds come last, as they may cost the whole lock timeout.
    WITH held AS MATERIALIZED (
      SELECT l.relation, bool_and(a.usesysid IS NULL AND l.mode = 'ShareUpdateExclusiveLock') AS by_autovacuum
        FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
       WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
         AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
       GROUP BY 1),
    target AS (
      SELECT c.oid AS relid, c.relnamespace, c.relname, c.relkind, 'FULL' AS clause, false AS restoring,
             NULL::name AS lost
        FROM pg_class c WHERE c.oid = ANY (wanted) AND c.relreplident <> 'f'
      UNION ALL
      SELECT c.oid, c.relnamespace, c.relname, c.relkind,
             CASE WHEN c.relreplident <> 'f' OR r.previous = 'f' THEN NULL
                  WHEN r.previous = 'n' THEN 'NOTHING'
                  WHEN x.oid IS NOT NULL THEN format('USING INDEX %I', x.relname)
                  ELSE 'DEFAULT' END,
             true, CASE WHEN r.previous = 'i' AND x.oid IS NULL AND c.relreplident = 'f' THEN r.index_name END
        FROM ${record} r
        JOIN pg_class c ON c.oid = r.relid
        LEFT JOIN (pg_index i JOIN pg_class x ON x.oid = i.indexrelid)
               ON r.previous = 'i' AND i.indrelid = r.relid AND x.relname = r.index_name
       WHERE r.relid = ANY (leaving)),
    step AS (
      SELECT t.*, format('%I.%I', n.nspname, t.relname) AS name, h.relation IS NOT NULL AS busy,
             coalesce(h.by_autovacuum, false) AND pass IN (3, 5, 7) AS patient,
             judged AND t.relkind = 'r' AND t.clause IS NOT NULL AS judging
        FROM target t JOIN pg_namespace n ON n.oid = t.relnamespace LEFT JOIN held h ON h.relation = t.relid
       WHERE t.relid <> ALL (given_up)
       ORDER BY busy, t.relid)
    SELECT array_agg(s.relid), array_agg(s.name),
           array_agg(coalesce('ALTER TABLE ' || s.name || ' REPLICA IDENTITY ' || s.clause, 'SELECT')),
           array_agg(CASE WHEN s.patient THEN '1500ms' ELSE '100ms' END),
           array_agg(s.judging OR s.restoring), array_agg(s.restoring), array_agg(s.lost), array_agg(s.judging)
      INTO relids, names, statements, timeouts, particular, restoring, lost, judging FROM step s;
    EXIT WHEN relids IS NULL OR (pass > 1 AND clock_timestamp() > deadline);

    again := false;
    FOR i IN 1 .. cardinality(relids) LOOP
      -- Every expression here is prepared anew after every commit: there are as few as can be.
      BEGIN
        setting := set_config('synchronous_commit', 'off', true) || set_config('lock_timeout', timeouts[i], true);
        EXECUTE statements[i];
        -- The altered table is locked, so its name is settled. Before, somebody may have given that name to another one.
        IF to_regclass(names[i])::oid IS DISTINCT FROM relids[i] THEN RAISE undefined_table; END IF;
        IF particular[i] THEN
          IF judging[i] THEN
            ${judgeSql("names[i]", "relids[i]")}
          END IF;
          IF restoring[i] THEN DELETE FROM ${record} r WHERE r.relid = relids[i]; END IF;
          IF lost[i] IS NOT NULL AND jsonb_array_length(index_gone) < 10 THEN
            index_gone := index_gone || jsonb_build_object('oid', relids[i]::int8, 'index', lost[i]);
          END IF;
        END IF;
      EXCEPTION
        WHEN lock_not_available OR deadlock_detected OR undefined_table OR undefined_object OR invalid_schema_name THEN
          again := true;
        WHEN others THEN
          given_up := given_up || relids[i];
          IF jsonb_array_length(refused) < 10 THEN
            refused := refused || jsonb_build_object('oid', relids[i]::int8, 'reason', SQLERRM);
          END IF;
      END;
      COMMIT;
      IF clock_timestamp() > deadline THEN
        again := true;
        EXIT;
      END IF;
    END LOOP;
    relids := NULL;
    EXIT WHEN NOT again;
    IF pass > 1 THEN PERFORM pg_sleep(least(0.1 * pass, 1)); END IF;
    COMMIT;
  END LOOP;

  ${returnSql(`jsonb_build_object('locked', coalesce(cardinality(relids), 0), 'refused', refused, 'indexGone', index_gone)`)};
  -- The normal commit of this write flushes all the asynchronous ones before it.
  EXECUTE format('COMMENT ON SCHEMA %I IS %L', ${quoteLiteral(schema)},
    (SELECT obj_description(n.oid, 'pg_namespace') FROM pg_namespace n WHERE n.nspname = ${quoteLiteral(schema)}));
  PERFORM pg_advisory_unlock(${turn});
END`;
}

/**
 * PL/pgSQL that raises what an UPDATE or DELETE of the app would get, if the publications of the table do not go
 * together with its replica identity, and nothing otherwise. A failure for any other reason says nothing about that.
 *
 * @param table expression for the qualified, quoted name
 * @param oid expression for the same table's oid
 */
export function judgeSql(table: string, oid: string): string {
  return `BEGIN
              EXECUTE 'EXPLAIN DELETE FROM ONLY ' || ${table};
              EXECUTE (SELECT format('EXPLAIN UPDATE ONLY %s SET %I = DEFAULT', ${table}, a.attname)
                         FROM pg_attribute a
                        WHERE a.attrelid = ${oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LIMIT 1);
            EXCEPTION
              WHEN object_not_in_prerequisite_state OR invalid_column_reference THEN RAISE;
              WHEN others THEN NULL;
            END;`;
}
