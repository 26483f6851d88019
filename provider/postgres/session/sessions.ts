import type { Client } from "pg";
import type { Catalog } from "../../contract/catalog";
import type { ConnectionSettings, Login } from "../../contract/connection";
import { UserError } from "../../contract/errors";
import type { Session } from "../../contract/session";
import type { ResolvedTarget, Target } from "../../contract/target";
import { readCatalog } from "../catalog/query";
import { abandonConnection, closeConnection, connectionIsLost, openConnection } from "./connection";
import { facts } from "./loginFailure";
import { SETTINGS_SQL, type SessionFacts } from "./settings";
import { toSqlError } from "../sql/sqlError";

/** A resolved target that names a database. */
export type DatabaseTarget = Session["target"];

/**
 * How long an unused session stays open, in milliseconds. Pulumi's engine goes through a stack in layers: in one with 200
 * trails, a database waits for those of all others between two resources of its own. A new login for each of them would
 * take longer than the resource. Neon suspends a compute although an idle session is open.
 */
const IDLE_MS = 300_000;

/** What {@link Sessions} need to open a connection. */
export interface Opening {
  /** Looks up where the database is and how its owner logs in. Called for every new connection. */
  readonly login: (target: DatabaseTarget) => Promise<Login>;
  /**
   * Looks up who owns the database now; `undefined` when nobody can tell. Called only when the owner that the target
   * names cannot log in, or does not own the database any more.
   */
  readonly ownerOf: (target: DatabaseTarget) => Promise<string | undefined>;
  /**
   * Whether the new owner of a database owns what this module made there, by the catalog as the former owner reads it.
   * Otherwise sessions act as the former owner.
   */
  readonly isHandedOver: (catalog: Catalog, owner: string) => boolean;
  readonly connection: ConnectionSettings;
  /** Prints a line for the user when a compute takes long to start. */
  readonly log: (line: string) => void;
}

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

/** Methods that the driver has and its type declarations lack: whether the connection keeps the process alive. */
interface Countable {
  ref(): void;
  unref(): void;
}

/**
 * Opens a session as the database's owner. The owner that the target names comes from the state. When that one cannot log
 * in, or does not own the database any more, the owner is looked up again: otherwise a new owner would leave preview, up
 * and destroy with `permission denied`. The session stays that of the former owner as long as what this module made is
 * that role's.
 */
async function openAsOwner(target: DatabaseTarget, opening: Opening): Promise<OpenSession> {
  const { name, owner } = target.database;
  const ownerNow = async (): Promise<string | undefined> => {
    const now = await opening.ownerOf(target).catch(() => undefined);
    return now === owner ? undefined : now;
  };
  const openAs = (now: string): Promise<OpenSession> => {
    opening.log(`Database "${name}" belongs to role ${now} now; until the last run it was ${owner}.`);
    return OpenSession.open({ ...target, database: { name, owner: now } }, opening);
  };
  let session: OpenSession;
  try {
    session = await OpenSession.open(target, opening);
  } catch (error) {
    const now = await ownerNow();
    if (now === undefined) throw error;
    return openAs(now);
  }
  if (session.databaseOwner === owner) return session;
  const now = await ownerNow();
  if (now === undefined) return session;
  if (!opening.isHandedOver(await session.catalog(), now)) {
    opening.log(
      `Database "${name}" belongs to role ${now} now. What this stack made in it belongs to ${owner}, so ${owner} goes on with it.`,
    );
    return session;
  }
  await session.end();
  return openAs(now);
}

class OpenSession implements Session {
  target: Session["target"];
  serverVersion = 0;
  /** Who owns the database, whoever the session acts as. */
  databaseOwner = "";
  readonly address: Session["address"];
  readonly #client: Client & Countable;
  #catalog: Promise<Catalog> | undefined;
  #lost = false;

  private constructor(client: Client, login: Login, target: DatabaseTarget) {
    this.#client = client as Client & Countable;
    this.address = { host: login.host, port: login.port };
    this.target = target;
    client.on("end", () => {
      this.#lost = true;
    });
  }

  static async open(target: DatabaseTarget, opening: Opening): Promise<OpenSession> {
    const login = await opening.login(target);
    const client = await openConnection(login, opening.connection, opening.log);
    const session = new OpenSession(client, login, target);
    const [row] = await session.read<SessionFacts>(SETTINGS_SQL);
    if (row === undefined) throw new Error("the server does not know the database of the session");
    session.serverVersion = row.version;
    session.databaseOwner = row.owner;
    session.target = { ...target, database: { ...target.database, oid: Number(row.oid) } };
    return session;
  }

  get lost(): boolean {
    return this.#lost;
  }

  async read<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Row[]> {
    try {
      return await this.#send<Row>(statement, values);
    } catch (error) {
      this.#catalog = undefined;
      throw error;
    }
  }

  async write<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Row[]> {
    try {
      return await this.#send<Row>(statement, values);
    } finally {
      this.#catalog = undefined;
    }
  }

  catalog(): Promise<Catalog> {
    this.#catalog ??= readCatalog(this);
    return this.#catalog;
  }

  freshCatalog(): Promise<Catalog> {
    this.#catalog = undefined;
    return this.catalog();
  }

  /** Rolls back a transaction that the last caller left open, so that the next one does not get it. */
  async tidy(): Promise<void> {
    if (this.#lost || this.#client.getTransactionStatus() === "I") return;
    await this.write("ROLLBACK").catch(() => undefined);
  }

  /** Lets the process end although the connection stays open. */
  rest(): void {
    if (!this.#lost) this.#client.unref();
  }

  /** Keeps the process alive again while the session is in use. */
  wake(): void {
    this.#client.ref();
  }

  async #send<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Row[]> {
    try {
      const result = await this.#client.query(statement, values === undefined ? undefined : [...values]);
      return result.rows as Row[];
    } catch (error) {
      if (!connectionIsLost(error)) throw toSqlError(error) ?? error;
      this.#lost = true;
      abandonConnection(this.#client);
      const reason = facts(error).message;
      throw new UserError(
        `The connection to database "${this.target.database.name}" at ${this.address.host} broke: ${reason.replace(/\.?$/, ".")} Run again: the next run continues where this one stopped.`,
      );
    }
  }

  async end(): Promise<void> {
    if (!this.#lost) await closeConnection(this.#client);
  }
}
