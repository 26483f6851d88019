/** The major versions of PostgreSQL that Neon offers, and so the sandbox. */
export const POSTGRES_VERSIONS = [14, 15, 16, 17, 18] as const;
export type PostgresVersion = (typeof POSTGRES_VERSIONS)[number];

export const PROFILES = ["neon", "strict"] as const;
export type Profile = (typeof PROFILES)[number];

/**
 * The interface between the two halves of the sandbox. `sandbox/postgres` implements it with real PostgreSQL servers
 * and front doors; the emulator of Neon's API (`sandbox/neon`) uses it. A branch is one server with its own data
 * directory.
 */
export interface Compute {
  /** The major version of every server. */
  readonly pgVersion: number;
  /** Path of the CA certificate (PEM) that every front door's certificate is signed by. */
  readonly sslRootCert: string;
  /**
   * Makes and starts the server of a branch. A new server has the roles `cloud_admin` (superuser) and `neon_superuser`.
   *
   * @param origin makes a physical copy of this branch's server instead, without its replication slots
   */
  createBranch(branchId: string, origin?: { readonly copyOf: string }): Promise<void>;
  deleteBranch(branchId: string): Promise<void>;
  /** Starts the server if it is down, with the `wal_level` that was set last. The front door keeps its port. */
  start(branchId: string): Promise<void>;
  /** Stops the server by a fast shutdown, which drops every connection. */
  stop(branchId: string): Promise<void>;
  /** Takes effect at the next start. */
  setWalLevel(branchId: string, level: "replica" | "logical"): void;
  /**
   * Where clients connect: the front door of the branch. `host` includes the port (`localhost:54321`), because a host
   * of Neon has the default port. The front door exists as long as the branch, and starts a stopped server for the
   * first client (scale to zero).
   */
  address(branchId: string): { readonly host: string; readonly port: number };
  /** URI of a superuser's connection to the server itself, past the front door. */
  superuserUri(branchId: string, database: string): string;
  isRunning(branchId: string): boolean;
  /** Runs SQL as the superuser `cloud_admin`. Starts a stopped server. Default of `database`: `postgres`. */
  sql<Row extends object>(
    branchId: string,
    statement: string,
    values?: readonly unknown[],
    database?: string,
  ): Promise<Row[]>;
  /** Ends the connections of all clients except the superuser, as Neon does when it changes roles. */
  dropConnections(branchId: string): Promise<void>;
  /** Stops every server and front door, and removes every file. May be called twice. */
  close(): Promise<void>;
}

/** What Neon's control plane makes of the statements about roles in one transaction. */
export interface CommitFault {
  /** How long the commit waits for the control plane, in milliseconds. */
  readonly delayMs: number;
  /** The error with which the commit fails; `undefined` if it succeeds in the end. */
  readonly error?: string;
}

export interface ComputeOptions {
  readonly pgVersion: PostgresVersion;
  /**
   * What the members of `neon_superuser` may do. `strict`: what vanilla PostgreSQL gives them. `neon`: also what Neon's
   * patches of PostgreSQL allow, e.g. to create event triggers.
   */
  readonly profile: Profile;
  /** Called for every new connection to a branch. `false` refuses it with the message of IP Allow. */
  readonly admits: (branchId: string, clientAddress: string) => boolean;
  /**
   * Called before `admits`. Returns the message for the client if the branch accepts no connections at all, otherwise
   * `undefined`. Default: every branch accepts connections.
   */
  readonly refusal?: (branchId: string) => string | undefined;
  /**
   * Called for every login that `refusal` and `admits` let through. Returns the message with which Neon's proxy refuses
   * it, or `undefined`. Default: no login is refused here.
   */
  readonly refuseLogin?: (branchId: string, role: string) => string | undefined;
  /**
   * Called for every transaction with a statement about a role, because Neon's control plane takes part in it. Returns
   * what goes wrong at its commit, or `undefined`. Default: nothing goes wrong.
   */
  readonly roleFault?: (branchId: string) => CommitFault | undefined;
  /** Prints one line for the user about something that takes long, e.g. a download. */
  readonly progress: (line: string) => void;
}
