import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

/** What a {@link LockWatch} has seen. */
export interface LocksSeen {
  /** How often it has looked. */
  samples: number;
  /** The most tables of the application that the provider had locked at once with ACCESS EXCLUSIVE. */
  mostHeld: number;
  /** The longest wait of an application's statement for the provider, over all its locks, in milliseconds. */
  longestWait: number;
  /** The statement with the longest wait. */
  waiting: string;
}

/** Waits for tables that an autovacuum worker holds are not counted, because there the provider may wait for longer. */
const SAMPLE = `
  WITH provider AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE application_name = 'pulumi-neon-bemi')
  SELECT
    (SELECT count(*)::int FROM pg_locks l JOIN provider USING (pid) JOIN pg_class c ON c.oid = l.relation
       JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg|_bemi)') AS held,
    coalesce((
      SELECT json_agg(json_build_object('statement', a.pid || ' ' || a.query_start, 'query', a.query, 'lock', l.waitstart,
               'ms', extract(epoch FROM clock_timestamp() - l.waitstart) * 1000))
        FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE NOT l.granted AND l.waitstart IS NOT NULL AND a.application_name <> 'pulumi-neon-bemi'
         AND pg_blocking_pids(l.pid) && ARRAY(SELECT pid FROM provider)
         AND NOT EXISTS (SELECT FROM pg_locks v JOIN pg_stat_activity b USING (pid)
                          WHERE v.relation = l.relation AND v.granted AND b.backend_type = 'autovacuum worker')),
      '[]') AS waits`;

interface Wait {
  readonly statement: string;
  readonly query: string;
  /** When the wait for this lock began. It tells the locks apart that a statement waits for one after the other. */
  readonly lock: string;
  readonly ms: number;
}

/** Looks at the server's locks about every 10 ms, as the superuser. */
export class LockWatch {
  #seen = nothing();
  /** By statement and lock, how long the statement has waited for the lock. */
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

  /** What it has seen since the last call. */
  seen(): LocksSeen {
    const seen = this.#seen;
    this.#seen = nothing();
    return seen;
  }

  /** Stops looking and closes the connection. */
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
