import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { connected, type Place } from "./place";

/** What a server was asked by the database's owner and by Bemi's role. */
export interface Traffic {
  readonly statements: number;
  readonly logins: number;
}

/** Counts logins and top-level statements on the server's log while some work is done. */
export async function traffic(place: Place, work: () => Promise<unknown>): Promise<Traffic> {
  await connected(place.superuserUri, async (client) => {
    await client.query("ALTER ROLE neondb_owner SET log_statement = 'all'");
  });
  try {
    const before = (await readFile(place.serverLog)).length;
    await work();
    const lines = (await readFile(place.serverLog)).subarray(before).toString().split("\n");
    const count = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
    return {
      statements: count(/(neondb_owner|bemi)@neondb LOG: {2}(statement|execute [^:]+): /),
      logins: count(/connection authorized: user=(neondb_owner|bemi) /),
    };
  } finally {
    await connected(place.superuserUri, async (client) => {
      await client.query("ALTER ROLE neondb_owner RESET log_statement");
    });
  }
}

/** The most ACCESS EXCLUSIVE locks on tables of schema public that one of the owner's sessions held at once. */
export async function mostLocks(
  place: Place,
  locking: () => Promise<unknown>,
): Promise<{ readonly most: number; readonly samples: number }> {
  return connected(place.superuserUri, async (client) => {
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

/** How many rows of pg_class some work updated. */
export async function classUpdates(place: Place, work: () => Promise<unknown>): Promise<number> {
  const before = await readUpdates(place);
  await work();
  return (await readUpdates(place)) - before;
}

/** Counters of a session arrive when it ends at the latest: waits until the owner has none. */
async function readUpdates({ superuserUri }: Place): Promise<number> {
  return connected(superuserUri, async (client) => {
    for (;;) {
      const { rowCount } = await client.query("SELECT FROM pg_stat_activity WHERE usename = 'neondb_owner'");
      if (rowCount === 0) break;
      await sleep(10);
    }
    // Up to 14, what is answered may be half a second old.
    await client.query("SELECT pg_sleep(1) WHERE current_setting('server_version_num')::int < 150000");
    const { rows } = await client.query<{ updates: string }>(
      "SELECT n_tup_upd AS updates FROM pg_stat_sys_tables WHERE relid = 'pg_class'::regclass",
    );
    return Number(rows[0]?.updates ?? 0);
  });
}

/** CPU time of a server process so far, in milliseconds; `undefined` where the system does not tell. */
export async function cpuOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/schedstat`, "utf8").catch(() => undefined);
  return text === undefined ? undefined : Number(text.split(" ")[0]) / 1e6;
}
