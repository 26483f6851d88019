import type { Session } from "../../contract/session";
import type { ResolvedTarget, Target } from "../../contract/target";
import { OpenSession, openAsOwner, type DatabaseTarget, type Opening } from "./openSession";

/**
 * How long an unused session stays open, in milliseconds. Pulumi's engine goes through a stack in layers: in one with 200
 * trails, a database waits for those of all others between two resources of its own. A new login for each of them would
 * take longer than the resource. Neon suspends a compute although an idle session is open.
 */
const IDLE_MS = 300_000;

/**
 * The sessions of one process, one for each database. A session opens at its first use, serves its callers in the
 * order in which they asked, and closes after five minutes without use. An idle session does not keep the process alive.
 */
export class Sessions {
  readonly #opening: Opening;
  readonly #queues = new Map<string, { readonly target: DatabaseTarget; readonly queue: Queue }>();
  /** What new callers wait for. */
  readonly #holds = new Set<{ readonly target: Target; readonly over: Promise<void> }>();

  constructor(opening: Opening) {
    this.#opening = opening;
  }

  /**
   * Lends the session to `work`. Inside `work`, do not call it for the same database again: that call would wait for
   * itself.
   *
   * @param as a role that the session acts as instead of the database's owner: another session
   */
  async use<Result>(
    target: ResolvedTarget,
    work: (session: Session) => Promise<Result>,
    as?: string,
  ): Promise<Result> {
    const { database } = target;
    if (database === undefined) throw new Error(`no database to connect to on branch ${target.branchId}`);
    const key = JSON.stringify([target.projectId, target.branchId, database.name, as]);
    let entry = this.#queues.get(key);
    if (entry === undefined) {
      const named = { ...target, database: { ...database, owner: as ?? database.owner } };
      const opening = this.#opening;
      entry = {
        target: named,
        queue: new Queue(() =>
          as === undefined ? openAsOwner(named, opening) : OpenSession.open(named, opening),
        ),
      };
      this.#queues.set(key, entry);
    }
    const { queue, target: used } = entry;
    for (let hold = this.#holdOn(used); hold !== undefined; hold = this.#holdOn(used)) await hold.over;
    return queue.use(work);
  }

  /**
   * Closes the session to the target; without a database in it, all sessions to its project. Callers that wait already
   * get the session first.
   *
   * @param meanwhile what would break a session; until it has ended, none is opened. It begins when nobody has a session, so
   *   that it never waits for work that waits for it.
   */
  async close(target: Target, meanwhile?: () => Promise<void>): Promise<void> {
    const concerned = (): Queue[] =>
      [...this.#queues.values()].filter((entry) => isMeantBy(target, entry.target)).map(({ queue }) => queue);
    do await Promise.all(concerned().map((queue) => queue.close()));
    while (meanwhile !== undefined && concerned().some((queue) => !queue.isClosed));
    if (meanwhile === undefined) return;
    const working = meanwhile();
    const hold = { target, over: working.catch(() => undefined) };
    this.#holds.add(hold);
    try {
      await working;
    } finally {
      this.#holds.delete(hold);
    }
  }

  #holdOn(target: DatabaseTarget): { readonly over: Promise<void> } | undefined {
    return [...this.#holds].find((hold) => isMeantBy(hold.target, target));
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#queues.values()].map(({ queue }) => queue.close()));
  }
}

function isMeantBy({ projectId, branch, database }: Target, open: DatabaseTarget): boolean {
  if (projectId !== open.projectId) return false;
  if (database === undefined) return true;
  if (database !== open.database.name) return false;
  return branch === undefined ? open.branchIsDefault : branch === open.branchName || branch === open.branchId;
}

/** Runs `work` in a transaction: commits when it returns, rolls back when it throws. */
export async function transaction<Result>(session: Session, work: () => Promise<Result>): Promise<Result> {
  await session.write("BEGIN");
  try {
    const result = await work();
    await session.write("COMMIT");
    return result;
  } catch (error) {
    // After the connection broke, the server has rolled back already.
    await session.write("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** The callers that wait for one connection. */
class Queue {
  readonly #connect: () => Promise<OpenSession>;
  #last: Promise<unknown> = Promise.resolve();
  #open: OpenSession | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** How many callers have the session or wait for it. */
  #callers = 0;

  constructor(connect: () => Promise<OpenSession>) {
    this.#connect = connect;
  }

  async use<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    this.#callers += 1;
    try {
      return await this.#turn(async () => {
        const session = await this.#session();
        try {
          return await work(session);
        } finally {
          await session.tidy();
          this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
          session.rest();
        }
      });
    } finally {
      this.#callers -= 1;
    }
  }

  close(): Promise<void> {
    return this.#turn(async () => {
      const session = this.#open;
      this.#open = undefined;
      await session?.end();
    });
  }

  /** Whether there is neither a session nor a caller. Others that only close it do not count: they would wait for each other. */
  get isClosed(): boolean {
    return this.#open === undefined && this.#callers === 0;
  }

  #turn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(() => {
      clearTimeout(this.#idle);
      return work();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #session(): Promise<OpenSession> {
    if (this.#open?.lost === false) {
      this.#open.wake();
      return this.#open;
    }
    this.#open = undefined;
    this.#open = await this.#connect();
    return this.#open;
  }
}
