import type { Client } from "pg";
import { UserError } from "../../contract/errors";
import type { ResolvedTarget, Target } from "../../contract/target";
import type { Catalog } from "../../contract/catalog";
import type { Session } from "../../contract/session";
import { readCatalog } from "../catalog/query";
import { connectionIsLost, facts, openConnection, type Login } from "./connection";
import { toSqlError } from "../sql/sqlError";

type DatabaseTarget = Session["target"];

/** How long an unused session stays open, in milliseconds: handlers of one engine phase follow each other closely. */
const IDLE_MS = 20_000;

/**
 * What every session starts with, in one statement. The default limits fit statements that wait for nothing; work
 * that waits on purpose sets its own. The connection check, which not every platform has, ends a statement whose client
 * has been killed.
 */
const SETTINGS = `
  SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false),
         pg_catalog.set_config('statement_timeout', '60s', false),
         pg_catalog.set_config('lock_timeout', '2s', false),
         pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', false),
         CASE WHEN pg_catalog.version() LIKE '%linux%'
              THEN pg_catalog.set_config('client_connection_check_interval', '2s', false) END,
         pg_catalog.set_config('client_min_messages', 'warning', false),
         pg_catalog.set_config('jit', 'off', false),
         pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version`;

/**
 * The sessions of one process: one per database, opened when first used, lent in the order asked, closed after 20 s
 * without use. An idle session does not keep the process alive.
 */
export class Sessions {
  readonly #login: (target: DatabaseTarget) => Promise<Login>;
  readonly #log: (line: string) => void;
  readonly #lines = new Map<string, { readonly target: DatabaseTarget; readonly line: Line }>();

  /**
   * @param login looks up where the database is and how its owner logs in; called for every new connection
   * @param log prints a line for a person, where a compute takes long to start
   */
  constructor(login: (target: DatabaseTarget) => Promise<Login>, log: (line: string) => void) {
    this.#login = login;
    this.#log = log;
  }

  /** Lends the session to `work`. Must not be called for the same database from inside `work`. */
  use<Result>(target: ResolvedTarget, work: (session: Session) => Promise<Result>): Promise<Result> {
    const { database } = target;
    if (database === undefined) throw new Error(`no database to connect to on branch ${target.branchId}`);
    const key = JSON.stringify([target.projectId, target.branchId, database.name]);
    let entry = this.#lines.get(key);
    if (entry === undefined) {
      const open = async () => {
        const resolved = { ...target, database };
        return OpenSession.open(await this.#login(resolved), resolved, this.#log);
      };
      entry = { target: { ...target, database }, line: new Line(open) };
      this.#lines.set(key, entry);
    }
    return entry.line.use(work);
  }

  /** Closes the session to the target, or without a database all sessions to its project, after those who wait. */
  async close(target: Target): Promise<void> {
    const concerned = [...this.#lines.values()].filter((entry) => isAbout(target, entry.target));
    await Promise.all(concerned.map(({ line }) => line.close()));
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#lines.values()].map(({ line }) => line.close()));
  }
}

function isAbout({ projectId, branch, database }: Target, open: DatabaseTarget): boolean {
  if (projectId !== open.projectId) return false;
  if (database === undefined) return true;
  if (database !== open.database.name) return false;
  return branch === undefined ? open.branchIsDefault : branch === open.branchName || branch === open.branchId;
}

/** Runs `work` in a transaction. */
export async function transaction<Result>(session: Session, work: () => Promise<Result>): Promise<Result> {
  await session.write("BEGIN");
  try {
    const result = await work();
    await session.write("COMMIT");
    return result;
  } catch (error) {
    // A connection that broke has rolled back by itself.
    await session.write("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** The queue in front of one connection. */
class Line {
  readonly #connect: () => Promise<OpenSession>;
  #last: Promise<unknown> = Promise.resolve();
  #open: OpenSession | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(connect: () => Promise<OpenSession>) {
    this.#connect = connect;
  }

  use<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    return this.#turn(async () => {
      const session = await this.#session();
      try {
        return await work(session);
      } finally {
        await session.tidy();
        this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
        session.rest();
      }
    });
  }

  close(): Promise<void> {
    return this.#turn(async () => {
      const session = this.#open;
      this.#open = undefined;
      await session?.end();
    });
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

/** What the driver offers and its type declarations leave out: whether the connection keeps the process alive. */
interface Countable {
  ref(): void;
  unref(): void;
}

class OpenSession implements Session {
  readonly target: Session["target"];
  serverVersion = 0;
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

  static async open(login: Login, target: DatabaseTarget, log: (line: string) => void): Promise<OpenSession> {
    const client = await openConnection(login, log);
    const session = new OpenSession(client, login, target);
    const [row] = await session.read<{ version: number }>(SETTINGS);
    session.serverVersion = row?.version ?? 0;
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

  /** Leaves no transaction of one borrower to the next. */
  async tidy(): Promise<void> {
    if (this.#lost || this.#client.getTransactionStatus() === "I") return;
    await this.write("ROLLBACK").catch(() => undefined);
  }

  /** Idle: the connection stays open, but the process may end. */
  rest(): void {
    if (!this.#lost) this.#client.unref();
  }

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
      const reason = facts(error).message;
      throw new UserError(
        `The connection to database "${this.target.database.name}" at ${this.address.host} broke: ${reason.replace(/\.?$/, ".")} Run again: what was begun is continued.`,
      );
    }
  }

  async end(): Promise<void> {
    if (!this.#lost) await this.#client.end().catch(() => undefined);
  }
}
