import type { PostgresVersion, Profile } from "./compute";

/** How to use a running sandbox. `npm run sandbox` prints it as one JSON line. */
export interface SandboxInfo {
  /** Base URL of the API; ends in `/api/v2`. */
  readonly apiUrl: string;
  /** A key with all rights. */
  readonly apiKey: string;
  readonly projectId: string;
  readonly branchId: string;
  readonly branchName: string;
  readonly endpointId: string;
  readonly database: string;
  /** How the owner of the database connects through the front door, like any client. */
  readonly ownerUri: string;
  /** How a superuser connects to the server itself, past the front door. */
  readonly superuserUri: string;
  /** Path of the CA certificate (PEM) for `PGSSLROOTCERT`. */
  readonly sslRootCert: string;
  /** Path of the file with every API request: one JSON object a line, secrets masked. */
  readonly requestLog: string;
}

export interface Sandbox {
  readonly info: SandboxInfo;
  /** How a superuser connects to the server of another branch, as {@link SandboxInfo.superuserUri} to the first one. */
  superuserUri(branchId: string): string;
  /** Stops the servers and the emulator, and removes every file. May be called twice. */
  stop(): Promise<void>;
}

export interface SandboxOptions {
  /** Major version of PostgreSQL. Default: 17. */
  readonly postgres?: PostgresVersion;
  /** Paths of SQL files that are run as the owner, in this order. Default: the sample schema, `sandbox/sample.sql`. */
  readonly sql?: readonly string[];
  /**
   * What the owner role may do. `neon`: what Neon's patches of PostgreSQL allow. `strict`: the same without event triggers
   * and without publications of all tables or of a schema, as in vanilla PostgreSQL. Default: `neon`.
   */
  readonly profile?: Profile;
  /** Path of a fault script. Default: no faults. */
  readonly faults?: string;
  /** More settings of the server, e.g. `{ log_statement: "all" }` for tests that read the server's log. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Prints one line for the user about the progress of the start. Default: prints nothing. */
  readonly progress?: (line: string) => void;
}
