import { LOCK_POLICY } from "./lockPolicy";
import type { Session } from "../../contract/session";
import { describeHolders, explainLocks, openWriters } from "./holders";
import { hasCode } from "./sqlError";

/**
 * One setting of the session carries a block's parameters in, another one carries its result out, because DO takes no
 * parameters and returns nothing. That way the block's text stays the same whatever it works on.
 */
const PARAMETERS = "pulumi_neon_bemi.parameters";
const RESULT = "pulumi_neon_bemi.result";

/** The first line of a PL/pgSQL block. A superuser can set for a database that names mean something else. */
export const PLAIN_NAMES = "#variable_conflict error\n";

/**
 * The statement that runs a PL/pgSQL block. The quotes around it have a tag that does not occur in it, whatever names it
 * contains: a role may be called `r$block$x`.
 */
export function doSql(block: string): string {
  let tag = "$block$";
  for (let n = 1; block.includes(tag); n += 1) tag = `$block${n}$`;
  return `DO ${tag} ${PLAIN_NAMES}${block} ${tag}`;
}

/** Inside a block: its parameters as jsonb. */
export const PARAMETERS_SQL = `pg_catalog.current_setting('${PARAMETERS}')::pg_catalog.jsonb`;

/** Inside a function: whether it runs, directly or by a trigger, because of a block of this module. */
export const IN_BLOCK_SQL = `coalesce(pg_catalog.current_setting('${PARAMETERS}', true), '') <> ''`;

/** Inside a block: a statement that hands a jsonb value back. Must be followed by a commit or the end of the block. */
export function returnSql(value: string): string {
  return `PERFORM pg_catalog.set_config('${RESULT}', (${value})::text, false)`;
}

/**
 * Runs a PL/pgSQL block, with its declarations, as one statement outside any transaction, so that it may commit.
 * Returns what the block handed to {@link returnSql}; `undefined` if nothing. Takes three round trips, whatever the
 * block does.
 *
 * @param settings settings of the session while the block runs. A block that set them itself would have to do so in
 *   each of its transactions, of which there may be thousands.
 */
export async function runBlock<Result>(
  session: Session,
  block: string,
  parameters: object,
  settings: Readonly<Record<string, string>> = {},
): Promise<Result | undefined> {
  const [before] = await session.read<{ settings: Record<string, string> | null }>(
    `SELECT pg_catalog.set_config('${PARAMETERS}', $1, false), pg_catalog.set_config('${RESULT}', '', false),
            (SELECT json_object_agg(key, pg_catalog.current_setting(key)) FROM json_each_text($2)) AS settings,
            (SELECT count(pg_catalog.set_config(key, value, false)) FROM json_each_text($2))`,
    [JSON.stringify(parameters), JSON.stringify(settings)],
  );
  const end = () =>
    session.read<{ result: Result | null }>(
      `SELECT nullif(pg_catalog.current_setting('${RESULT}'), '')::pg_catalog.jsonb AS result,
              pg_catalog.set_config('${PARAMETERS}', '', false),
              (SELECT count(pg_catalog.set_config(key, value, false)) FROM json_each_text($1))`,
      [JSON.stringify(before?.settings ?? {})],
    );
  try {
    await session.write(doSql(block));
  } catch (error) {
    // If the connection broke, its settings are gone with it.
    await end().catch(() => undefined);
    throw error;
  }
  const [row] = await end();
  return row?.result ?? undefined;
}

/**
 * In a handler: whether the error says that another transaction has just changed the same row of a catalog. GRANT and
 * COMMENT do not wait for each other and look again, as UPDATE does.
 */
export const OVERTAKEN_SQL = "SQLSTATE = 'XX000' AND SQLERRM LIKE 'tuple concurrently %'";

/** Repeats a transaction that failed because another one has just changed the same row of a catalog. */
export async function unlessOvertaken<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1)
    try {
      return await work();
    } catch (error) {
      const overtaken = hasCode(error, "XX000") && error.reason.startsWith("tuple concurrently ");
      if (!overtaken || attempt === 5) throw error;
    }
}

/**
 * Statements of a block that run the parameter `statements` in one transaction: all of them or none. They wait for each
 * lock at most 100 ms, because the application queues behind them for as long, and try again for up to 10 s. The block
 * must declare {@link TOGETHER_DECLARATIONS}.
 */
export const TOGETHER_SQL = `
  LOOP
    BEGIN
      PERFORM set_config('lock_timeout', '${LOCK_POLICY.attempt}', true);
      FOR statement IN SELECT value FROM jsonb_array_elements_text(${PARAMETERS_SQL} -> 'statements') LOOP
        EXECUTE statement;
      END LOOP;
      EXIT;
    EXCEPTION
      WHEN lock_not_available OR deadlock_detected THEN
        IF clock_timestamp() > deadline THEN RAISE; END IF;
      WHEN internal_error THEN
        IF NOT (${OVERTAKEN_SQL}) OR clock_timestamp() > deadline THEN RAISE; END IF;
    END;
    PERFORM pg_sleep(0.2);
  END LOOP;`;

export const TOGETHER_DECLARATIONS = `
  statement text;
  deadline timestamptz := clock_timestamp() + interval '${LOCK_POLICY.patience}';`;

const TOGETHER = `DECLARE ${TOGETHER_DECLARATIONS} BEGIN ${TOGETHER_SQL} END`;

/**
 * Runs statements that return nothing as one transaction. See {@link TOGETHER_SQL} for how long it waits for locks.
 *
 * @throws SqlError if a lock is not free by then; it names who holds it
 */
export async function runTogether(session: Session, statements: readonly string[]): Promise<void> {
  await explainLocks(session, statements, () => runBlock(session, TOGETHER, { statements }));
}

/** SQLSTATE of {@link waitForOlderWriters} running out of time. */
const TOO_LONG = "NB001";

const WAIT = `
DECLARE
  here xid8 := pg_current_xact_id();
  deadline timestamptz := clock_timestamp() + (${PARAMETERS_SQL} ->> 'patience')::interval;
BEGIN
  COMMIT;
  WHILE pg_snapshot_xmin(pg_current_snapshot()) <= here LOOP
    IF clock_timestamp() > deadline THEN
      RAISE EXCEPTION 'an older transaction is still writing' USING ERRCODE = '${TOO_LONG}';
    END IF;
    PERFORM pg_sleep(0.02);
    COMMIT;
  END LOOP;
END`;

/**
 * Waits until every transaction of the cluster that has written something before now is over. Otherwise a consumer that
 * decodes such a transaction later would judge its changes by the new members of a publication.
 *
 * @param patience an interval: for how long to wait at most
 * @returns `false` when one of the transactions is still open then
 */
export async function waitForOlderWriters(
  session: Session,
  patience: string = LOCK_POLICY.patience,
): Promise<boolean> {
  try {
    await runBlock(session, WAIT, { patience });
    return true;
  } catch (error) {
    if (hasCode(error, TOO_LONG)) return false;
    throw error;
  }
}

/** Why {@link waitForOlderWriters} has given up, as the end of a sentence, without its full stop. Names the oldest of the transactions. */
export async function describeOlderWriters(session: Session): Promise<string> {
  const holders = describeHolders((await openWriters(session)).slice(0, 1));
  return `an older transaction is still writing${holders === undefined ? "" : `. ${holders.replace(/\.$/, "")}`}`;
}
