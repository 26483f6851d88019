import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

/** What a {@link LockWatch} has seen. */
export interface LocksSeen {
  samples: number;
  /** The most tables of the app that the module held an ACCESS EXCLUSIVE lock on at any one time. */
  mostHeld: number;
  /** The longest that a statement of the app was seen to wait behind the module, for all its locks together, in milliseconds. */
  longestWait: number;
  /** The statement that waited so long. */
  waiting: string;
}

/** Not counted: tables an autovacuum worker holds, for which the module may wait for longer. */
const SAMPLE = `
  WITH ours AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE application_name = 'pulumi-neon-bemi')
  SELECT
    (SELECT count(*)::int FROM pg_locks l JOIN ours USING (pid) JOIN pg_class c ON c.oid = l.relation
       JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg|_bemi)') AS held,
    coalesce((
      SELECT json_agg(json_build_object('statement', a.pid || ' ' || a.query_start, 'query', a.query, 'lock', l.waitstart,
               'ms', extract(epoch FROM clock_timestamp() - l.waitstart) * 1000))
        FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE NOT l.granted AND l.waitstart IS NOT NULL AND a.application_name <> 'pulumi-neon-bemi'
         AND pg_blocking_pids(l.pid) && ARRAY(SELECT pid FROM ours)
         AND NOT EXISTS (SELECT FROM pg_locks v JOIN pg_stat_activity b USING (pid)
                          WHERE v.relation = l.relation AND v.granted AND b.backend_type = 'autovacuum worker')),
      '[]') AS waits`;

interface Wait {
  readonly statement: string;
  readonly query: string;
  /** When the wait for this lock began: a statement may wait for several, one after the other. */
  readonly lock: string;
  readonly ms: number;
}

/** Looks at the server's locks about every 10 ms, as superuser. */
export class LockWatch {
  #seen = nothing();
  /** Of each statement, how long it waited for each lock. */
  readonly #waits = new Map<string, Map<string, number>>();
  #watching = true;
  readonly #work: Promise<void>;

  private constructor(private readonly client: Client) {
    this.#work = this.#watch();
  }

  static async start(superuserUri: string): Promise<LockWatch> {
    const client = new Client({ connectionString: superuserUri, application_name: "lock watch" });
    await client.connect();
    return new LockWatch(client);
  }

  /** What was seen since the last call. */
  seen(): LocksSeen {
    const seen = this.#seen;
    this.#seen = nothing();
    return seen;
  }

  async stop(): Promise<void> {
    this.#watching = false;
    await this.#work;
    await this.client.end();
  }

  async #watch(): Promise<void> {
    while (this.#watching) {
      const { rows } = await this.client.query<{ held: number; waits: Wait[] }>(SAMPLE);
      const seen = this.#seen;
      const [sample = { held: 0, waits: [] }] = rows;
      seen.samples += 1;
      seen.mostHeld = Math.max(seen.mostHeld, sample.held);
      for (const { statement, query, lock, ms } of sample.waits) {
        const locks = this.#waits.get(statement) ?? new Map<string, number>();
        this.#waits.set(statement, locks.set(lock, ms));
        const total = [...locks.values()].reduce((sum, wait) => sum + wait, 0);
        if (total > seen.longestWait) {
          seen.longestWait = total;
          seen.waiting = query;
        }
      }
      await sleep(10);
    }
  }
}

function nothing(): LocksSeen {
  return { samples: 0, mostHeld: 0, longestWait: 0, waiting: "" };
}
