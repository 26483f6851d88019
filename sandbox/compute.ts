/** The major versions that a server can be of: those Neon has. */
export const POSTGRES_VERSIONS = [14, 15, 16, 17, 18] as const;
export type PostgresVersion = (typeof POSTGRES_VERSIONS)[number];

/**
 * The seam of the sandbox: real PostgreSQL servers and their front doors on one side (`sandbox/postgres`), the Neon
 * API emulator on the other (`sandbox/neon`). A branch is one server with a data directory of its own.
 */
export interface Compute {
  /** The major version of every server. */
  readonly pgVersion: number;
  /** Path of the CA certificate (PEM) that every front door's certificate is signed by. */
  readonly sslRootCert: string;
  /**
   * Makes the server of a branch and starts it: empty with roles `cloud_admin` (superuser) and `neon_superuser`, or a
   * physical copy of another branch's server as it is at this moment, without its replication slots.
   */
  createBranch(branchId: string, origin?: { readonly copyOf: string }): Promise<void>;
  deleteBranch(branchId: string): Promise<void>;
  /** Starts the server if it is down, with the wal_level last asked for. The front door's port never changes. */
  start(branchId: string): Promise<void>;
  /** Fast shutdown: every connection drops. */
  stop(branchId: string): Promise<void>;
  /** From the next start on. */
  setWalLevel(branchId: string, level: "replica" | "logical"): void;
  /**
   * Where clients connect. `host` has the port in it (`localhost:54321`), as Neon's own host needs none. Each branch
   * has a front door from its creation on; it wakes the server for the first client (scale to zero).
   */
  address(branchId: string): { readonly host: string; readonly port: number };
  /** Straight to the server, past the front door, as superuser. */
  superuserUri(branchId: string, database: string): string;
  isRunning(branchId: string): boolean;
  /** Runs SQL as the superuser `cloud_admin`; `database` defaults to `postgres`. Wakes the server. */
  sql<Row extends object>(
    branchId: string,
    statement: string,
    values?: readonly unknown[],
    database?: string,
  ): Promise<Row[]>;
  /** Ends all client connections of a branch (not the superuser's own), as Neon does when it changes roles. */
  dropConnections(branchId: string): Promise<void>;
  /** Stops every server and front door and removes every file. Safe to call twice. */
  close(): Promise<void>;
}

export interface ComputeOptions {
  readonly pgVersion: PostgresVersion;
  /** Asked for every new connection at the front door of a branch; `false` refuses with Neon's message. */
  readonly admits: (branchId: string, clientAddress: string) => boolean;
  /** Asked first: why a branch takes no connection from anywhere, in the words for the client. Default: it does. */
  readonly refusal?: (branchId: string) => string | undefined;
  /** One line for a person, where something takes long (fetching a server, a first start). */
  readonly progress: (line: string) => void;
}
