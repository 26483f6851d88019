import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { withClient, type DatabaseAccess } from "./postgres";

/** What the database's owner and Bemi's role have asked of a server. */
export interface Traffic {
  /** Top-level statements. */
  readonly statements: number;
  readonly logins: number;
}

/** Counts the logins and statements in the server's log while `work` runs. */
export async function traffic(db: DatabaseAccess, work: () => Promise<unknown>): Promise<Traffic> {
  await withClient(db.superuserUri, async (client) => {
    await client.query("ALTER ROLE neondb_owner SET log_statement = 'all'");
  });
  try {
    const before = (await readFile(db.serverLog)).length;
    await work();
    const lines = (await readFile(db.serverLog)).subarray(before).toString().split("\n");
    const count = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
    return {
      statements: count(/(neondb_owner|bemi)@neondb LOG: {2}(statement|execute [^:]+): /),
      logins: count(/connection authorized: user=(neondb_owner|bemi) /),
    };
  } finally {
    await withClient(db.superuserUri, async (client) => {
      await client.query("ALTER ROLE neondb_owner RESET log_statement");
    });
  }
}

/**
 * The most ACCESS EXCLUSIVE locks on tables of schema public that one session of the owner held at once while `locking`
 * ran, and how often it was looked.
 */
export async function mostLocks(
  db: DatabaseAccess,
  locking: () => Promise<unknown>,
): Promise<{ readonly most: number; readonly samples: number }> {
  return withClient(db.superuserUri, async (client) => {
    let most = 0;
    let samples = 0;
    const work = { done: false };
    const sampling = (async () => {
      for (; !work.done; samples += 1) {
        const { rows } = await client.query<{ locks: number }>(LOCKS);
        most = Math.max(most, rows[0]?.locks ?? 0);
      }
    })();
    try {
      await locking();
    } finally {
      work.done = true;
      await sampling;
    }
    return { most, samples };
  });
}

const LOCKS = `
  SELECT coalesce(max(held.locks), 0)::int AS locks
    FROM (SELECT count(*) AS locks
            FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
           WHERE a.usename = 'neondb_owner' AND l.granted AND l.mode = 'AccessExclusiveLock'
             AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           GROUP BY l.pid) held`;

/** How many updates of rows of pg_class `work` made. */
export async function classUpdates(db: DatabaseAccess, work: () => Promise<unknown>): Promise<number> {
  const before = await readUpdates(db);
  await work();
  return (await readUpdates(db)) - before;
}

/** A session reports its counters at the latest when it ends, so this waits until the owner has no session. */
async function readUpdates({ superuserUri }: DatabaseAccess): Promise<number> {
  return withClient(superuserUri, async (client) => {
    for (;;) {
      const { rowCount } = await client.query("SELECT FROM pg_stat_activity WHERE usename = 'neondb_owner'");
      if (rowCount === 0) break;
      await sleep(10);
    }
    // Up to PostgreSQL 14, the counters read may be half a second old.
    await client.query("SELECT pg_sleep(1) WHERE current_setting('server_version_num')::int < 150000");
    const { rows } = await client.query<{ updates: string }>(
      "SELECT n_tup_upd AS updates FROM pg_stat_sys_tables WHERE relid = 'pg_class'::regclass",
    );
    return Number(rows[0]?.updates ?? 0);
  });
}

/** CPU time that a server process has used, in milliseconds; `undefined` on a system without /proc. */
export async function cpuOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/schedstat`, "utf8").catch(() => undefined);
  return text === undefined ? undefined : Number(text.split(" ")[0]) / 1e6;
}
