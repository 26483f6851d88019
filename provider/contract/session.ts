import type { Catalog } from "./catalog";
import type { ResolvedDatabase, ResolvedTarget } from "./target";

/** The owner's one connection to a database, lent to one handler at a time. */
export interface Session {
  /** Where the session is. `database.owner` is the role that it acts as: the database's owner as of its login. */
  readonly target: ResolvedTarget & { readonly database: ResolvedDatabase };
  /** `server_version_num`, e.g. 170010. */
  readonly serverVersion: number;
  /** Where clients connect: host and port of the direct endpoint. */
  readonly address: { readonly host: string; readonly port: number };
  /**
   * Sends one statement that changes nothing in the database, with bound parameters. A statement that fails makes the
   * session forget its cached catalog, because the statement was planned from it.
   *
   * Errors are `SqlError`s: message, SQLSTATE, detail and hint only, as the context and the text of a statement can
   * hold secrets.
   */
  read<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Sends one statement that may change something, and forgets the cached catalog. Otherwise like {@link read}. */
  write<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * Everything planning needs, in one read-only round trip. Cached until this session writes or ends, so that the
   * reads of all kinds in one refresh share it.
   */
  catalog(): Promise<Catalog>;
  /** The catalog as it is now: for a decision that depends on what other sessions have changed since. */
  freshCatalog(): Promise<Catalog>;
}

/** What reading the catalogs takes of a {@link Session}. */
export type Reader = Pick<Session, "read" | "serverVersion">;
