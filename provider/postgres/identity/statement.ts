import { heldByAutovacuumSql, heldHereSql, LOCK_POLICY } from "../sql/lockPolicy";
import { OVERTAKEN_SQL, PARAMETERS_SQL, returnSql, runBlock } from "../sql/block";
import type { Session } from "../../contract/session";
import { hasCode, SqlError } from "../sql/sqlError";
import { oidArray } from "../sql/quote";
import { judgeSql } from "../sql/judge";
import { UserError } from "../../contract/errors";
import type { LockedTables } from "../catalog/lockedTables";
import { describeHolders, sessionHolder } from "../sql/holders";
import type { FormerIdentity } from "./claim";
import { END_TURN, NO_TURN, TAKE_TURN } from "./turn";
import { pinIndexSql } from "../sql/pinIndex";

/** What {@link changeIdentities} did not do as asked. */
export interface IdentityChanges extends LockedTables {
  /** Tables whose change PostgreSQL refused, with its reason; at most ten. They keep the identity they had. */
  readonly refused: readonly { readonly oid: number; readonly reason: string }[];
  /** Restored tables whose recorded index no longer exists: they got the identity DEFAULT. At most ten. */
  readonly indexGone: readonly { readonly oid: number; readonly index: string }[];
}

export interface IdentityOrder {
  /** Name of the trail's publication. */
  readonly publication: string;
  /** Oids of tables to set to FULL. Default: none. */
  readonly full?: readonly number[];
  /** Tables that are FULL and get back another identity, by oid. Default: none. */
  readonly restore?: ReadonlyMap<number, FormerIdentity>;
}

/**
 * The limit for each lock, and asynchronous commits. The last write of the block commits synchronously, which flushes all
 * the commits before it.
 */
const SETTINGS = { lock_timeout: LOCK_POLICY.attempt, synchronous_commit: "off" };

/** The SQLSTATE class of a statement that somebody has cancelled. */
const OPERATOR_INTERVENTION = "57";

/** What one statement came to. */
interface Outcome extends IdentityChanges {
  /** Whether the time was up before every table had its turn. */
  readonly cut: boolean;
}

/**
 * Sets and restores the replica identity of any number of tables in one statement with one transaction per table. So no
 * more than one table is ever locked, and each attempt gives up after 100 ms: the app queues behind it for no longer.
 * Tables that were locked are tried again for 10 s. If there is too much to do for one statement, another one follows,
 * as long as there is progress.
 *
 * - What the tables had before must be in the record already, so that a kill at any point loses no previous identity.
 * - A table that only an autovacuum worker holds gets attempts of 1.5 s: the worker yields only to whoever waits longer
 *   than deadlock_timeout, which is 1 s.
 * - Only one block at a time works on a trail. The server works on for up to two seconds for a process that was killed,
 *   and would otherwise set tables to FULL again that the next destroy has restored. Whose turn it is stands in the
 *   comment of the module's schema, which only its owner can change; a turn ends with its statement or its process.
 * - Where there are publications, the server itself judges each change in the transaction that makes it: if UPDATE or
 *   DELETE would now be refused, the change is rolled back and reported.
 * - The first attempt has no exception handler, because a handler takes a second transaction ID for each table. If
 *   anything goes wrong, the statement ends, and a guarded one, with handlers, does what is left.
 *
 * @param onProgress is told how many tables are left, before each statement but the first
 * @param patience an interval: for how long one statement works, and goes on trying for tables that are locked
 */
export async function changeIdentities(
  session: Session,
  order: IdentityOrder,
  onProgress: (left: number) => void = () => undefined,
  patience: string = LOCK_POLICY.patience,
): Promise<IdentityChanges> {
  const indexGone: IdentityChanges["indexGone"][number][] = [];
  let left = Infinity;
  for (;;) {
    const outcome = await changeSome(session, order, patience);
    indexGone.push(...outcome.indexGone);
    if (!outcome.cut || outcome.locked >= left) return { ...outcome, indexGone };
    left = outcome.locked;
    onProgress(left);
  }
}

/** One statement; a guarded one after it, if it failed. */
async function changeSome(session: Session, order: IdentityOrder, patience: string): Promise<Outcome> {
  // When restoring, start with the guarded form: if the fast form failed midway, its list of missing indexes would be
  // lost.
  if (order.restore !== undefined) return await runOnce(session, order, patience, true);
  try {
    return await runOnce(session, order, patience, false);
  } catch (error) {
    if (!(error instanceof SqlError) || error.code.startsWith(OPERATOR_INTERVENTION)) throw error;
    return await runOnce(session, order, patience, true);
  }
}

/** @param guarded whether a failure is handled table by table; otherwise it ends the statement */
async function runOnce(
  session: Session,
  { publication, full = [], restore = new Map<number, FormerIdentity>() }: IdentityOrder,
  patience: string,
  guarded: boolean,
): Promise<Outcome> {
  const exceptions = [...restore].flatMap(([oid, { identity, identityIndex: index }]) =>
    identity === "default"
      ? []
      : [{ oid, identity, index: index?.oid, name: index?.name, columns: index?.columns }],
  );
  const parameters = {
    publication,
    full: oidArray(full),
    restore: oidArray([...restore.keys()]),
    exceptions,
    patience,
    guarded,
  };
  try {
    const block = identityBlock(restore.size > 0);
    const outcome = await runBlock<Outcome>(session, block, parameters, SETTINGS);
    return outcome ?? { locked: 0, lockedTables: [], refused: [], indexGone: [], cut: false };
  } catch (error) {
    if (!hasCode(error, NO_TURN)) throw error;
    const pid = Number(/\d+/.exec(error.reason)?.[0]);
    const held = describeHolders(await sessionHolder(session, pid).catch(() => []));
    throw new UserError(
      `The replica identities of publication ${publication} were not changed: another statement of this module changes them, ${error.reason}. ${held ?? "Run again."}`,
    );
  }
}

function identityBlock(restores: boolean): string {
  const lockedByOthers = `${heldHereSql("l")} AND l.pid <> pg_backend_pid()`;
  const setting = `
        SELECT c.oid, c.relnamespace, c.relname, c.relkind, 'FULL' AS clause, NULL::text AS lost, '' AS pin
          FROM pg_class c WHERE c.oid = ANY (wanted) AND c.relreplident <> 'f'`;
  const targets = restores ? `${setting} UNION ALL ${RESTORING}` : setting;
  return `
DECLARE
  publication text;
  wanted oid[];
  leaving oid[];
  exceptions jsonb;
  patience interval;
  guarded bool;
  deadline timestamptz;
  judged bool;
  refused jsonb := '[]';
  index_gone jsonb := '[]';
  given_up oid[] := '{}';
  pass int := 0;
  locked oid[] := '{}';
  cut bool := false;
  again bool;
  vacuumed oid[];
  -- One table's step. Variables of their own, as a field of a record takes longer to read.
  table_oid oid;
  table_name text;
  statement text;
  careful bool;
  judging bool;
  lost text;
  lines text[];
BEGIN
  SELECT p ->> 'publication', p ->> 'full', p ->> 'restore', p -> 'exceptions', p ->> 'patience', p ->> 'guarded',
         clock_timestamp() + (p ->> 'patience')::interval, EXISTS (SELECT FROM pg_publication)
    INTO publication, wanted, leaving, exceptions, patience, guarded, deadline, judged
    FROM (SELECT ${PARAMETERS_SQL}) AS parameters (p);
  ${TAKE_TURN}
  deadline := clock_timestamp() + patience;

  LOOP
    pass := pass + 1;
    again := false;
    IF pass IN (3, 5, 7) THEN
      vacuumed := ARRAY(SELECT l.relation FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
         WHERE ${lockedByOthers}
         GROUP BY 1 HAVING bool_and(${heldByAutovacuumSql("l", "a")}));
    ELSE
      vacuumed := '{}';
    END IF;
    -- Tables that somebody holds come last, because each may cost the whole lock timeout. Descending oid: queries lock
    -- partitions in ascending order; in the same order we would block such a query once per partition.
    FOR table_oid, table_name, statement, careful, judging, lost IN
      SELECT s.oid, s.name,
             CASE WHEN s.oid = ANY (vacuumed) THEN 'SET LOCAL lock_timeout = ''${LOCK_POLICY.autovacuumAttempt}''; ' ELSE '' END
               || s.pin || 'ALTER TABLE ' || s.name || ' REPLICA IDENTITY ' || s.clause,
             -- Every hundredth table too, because only careful steps look at the clock.
             guarded OR judged OR s.busy OR s.oid::int8 % 100 = 0, s.judging, s.lost
        -- No WITH: it would first materialize all rows, because a function in it is volatile.
        FROM (SELECT t.*, format('%I.%I', n.nspname, t.relname) AS name,
                     t.oid IN (SELECT l.relation FROM pg_locks l WHERE ${lockedByOthers}) AS busy,
                     judged AND t.relkind = 'r' AS judging
                FROM (${targets}) t
                JOIN pg_namespace n ON n.oid = t.relnamespace
               WHERE t.oid <> ALL (given_up)) s
       ORDER BY s.busy, s.oid DESC
    LOOP
      -- Each expression here is prepared anew after every commit, so there are few: three for most tables.
      IF careful THEN
        BEGIN
          EXECUTE statement;
          ${CHECK_NAME}
          IF judging THEN
            ${judgeSql("table_name", "table_oid")}
          END IF;
          IF lost IS NOT NULL AND jsonb_array_length(index_gone) < 10 THEN
            index_gone := index_gone || jsonb_build_object('oid', table_oid::int8, 'index', lost);
          END IF;
        EXCEPTION
          WHEN lock_not_available OR deadlock_detected OR undefined_table OR undefined_object OR invalid_schema_name THEN
            again := true;
          WHEN others THEN
            IF ${OVERTAKEN_SQL} THEN
              again := true;
            ELSE
              given_up := given_up || table_oid;
              IF jsonb_array_length(refused) < 10 THEN
                refused := refused || jsonb_build_object('oid', table_oid::int8, 'reason', SQLERRM);
              END IF;
            END IF;
        END;
        IF clock_timestamp() > deadline THEN
          again := true;
          EXIT;
        END IF;
      ELSE
        EXECUTE statement;
        ${CHECK_NAME}
      END IF;
      COMMIT;
    END LOOP;
    EXIT WHEN NOT again;
    IF clock_timestamp() > deadline THEN
      cut := pass = 1;
      locked := ARRAY(SELECT c.oid FROM pg_class c
         WHERE (c.oid = ANY (wanted) AND c.relreplident <> 'f' OR c.oid = ANY (leaving) AND c.relreplident = 'f')
           AND c.oid <> ALL (given_up) ORDER BY c.oid);
      EXIT;
    END IF;
    -- Every table has had its turn: those that were locked get the full time from here.
    IF pass = 1 THEN deadline := clock_timestamp() + patience; END IF;
    PERFORM pg_sleep(least(0.1 * pass, 1));
    COMMIT;
  END LOOP;

  ${returnSql(`jsonb_build_object('locked', cardinality(locked), 'lockedTables', to_jsonb(locked[1:5]::int8[]),
    'refused', refused, 'indexGone', index_gone, 'cut', cut AND cardinality(locked) > 0)`)};
  -- The synchronous commit of this write flushes all the asynchronous commits before it.
  PERFORM set_config('synchronous_commit', 'on', true), pg_current_xact_id();
  ${END_TURN}
END`;
}

/**
 * After the ALTER the table is locked, so its name cannot change any more. Before, another table may have got that
 * name.
 */
const CHECK_NAME =
  "IF to_regclass(table_name) IS DISTINCT FROM table_oid THEN RAISE undefined_table; END IF;";

/**
 * What tables get back that are FULL. USING INDEX takes the recorded index if the table still has it and it can serve,
 * otherwise one of the same name, otherwise one of the same columns; otherwise the table becomes DEFAULT.
 */
const RESTORING = `
        SELECT c.oid, c.relnamespace, c.relname, c.relkind,
               CASE WHEN e.identity = 'nothing' THEN 'NOTHING'
                    WHEN x.relname IS NOT NULL THEN format('USING INDEX %I', x.relname)
                    ELSE 'DEFAULT' END,
               CASE WHEN e.identity = 'index' AND x.relname IS NULL THEN coalesce(e.name, '') END,
               CASE WHEN x.relname IS NOT NULL THEN ${pinIndexSql("format('%s.%I', c.relnamespace::regnamespace, c.relname)", "format('%s.%I', c.relnamespace::regnamespace, x.relname)", "x.oid")} ELSE '' END
          FROM pg_class c
          LEFT JOIN jsonb_to_recordset(exceptions)
            AS e (oid oid, identity text, index oid, name text, columns text[]) ON e.oid = c.oid
          LEFT JOIN LATERAL (
            SELECT n.oid, n.relname FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid
             WHERE e.identity = 'index' AND i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
               AND i.indpred IS NULL AND i.indexprs IS NULL
               AND NOT EXISTS (SELECT FROM pg_attribute a
                                WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull)
               AND (n.oid = e.index OR n.relname = e.name OR e.columns = ARRAY(
                     SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place)
                       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                      WHERE k.place <= i.indnkeyatts ORDER BY k.place))
             ORDER BY n.oid IS DISTINCT FROM e.index, n.relname IS DISTINCT FROM e.name LIMIT 1) x ON true
         WHERE c.oid = ANY (leaving) AND c.relreplident = 'f'`;
