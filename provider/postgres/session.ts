import type { ResolvedTarget } from "../target";
import type { Catalog } from "./catalog";

/** The owner's one connection to a database, lent to one handler at a time. */
export interface Session {
  readonly target: ResolvedTarget & { readonly database: { readonly name: string; readonly owner: string } };
  /** `server_version_num`, e.g. 170010. */
  readonly serverVersion: number;
  /** Where clients connect: host and port of the direct endpoint. */
  readonly address: { readonly host: string; readonly port: number };
  /**
   * One statement with bound parameters. Errors are {@link SqlError}s: message, SQLSTATE, detail and hint only, as
   * the context and the text of a statement can hold secrets.
   */
  query<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * Everything planning needs, in one read-only round trip. Cached until {@link changed} is called or the session
   * ends, so that the reads of all kinds in one refresh share it.
   */
  catalog(): Promise<Catalog>;
  /** Forgets the cached catalog. Call after every statement that changes something. */
  changed(): void;
}
