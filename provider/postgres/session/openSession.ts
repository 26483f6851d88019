import type { Client } from "pg";
import type { Catalog } from "../../contract/catalog";
import type { ConnectionSettings, Login } from "../../contract/connection";
import { UserError } from "../../contract/errors";
import type { Session } from "../../contract/session";
import { readCatalog } from "../catalog/query";
import { toSqlError } from "../sql/sqlError";
import { abandonConnection, closeConnection, connectionIsLost, openConnection } from "./connection";
import { facts } from "./loginFailure";
import { SETTINGS_SQL, type SessionFacts } from "./settings";

/** A resolved target that names a database. */
export type DatabaseTarget = Session["target"];

/** What is needed to open a connection. */
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
export async function openAsOwner(target: DatabaseTarget, opening: Opening): Promise<OpenSession> {
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

/** The session of one connection. */
export class OpenSession implements Session {
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
