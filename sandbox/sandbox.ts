import type { PostgresVersion } from "./compute";

/** What `npm run sandbox` prints as one JSON line, and what the rest of the repository uses a sandbox by. */
export interface SandboxInfo {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly projectId: string;
  readonly branchId: string;
  readonly branchName: string;
  readonly endpointId: string;
  readonly database: string;
  /** Through the front door, like any client. */
  readonly ownerUri: string;
  /** Straight to the server. */
  readonly superuserUri: string;
  readonly sslRootCert: string;
  /** Path of the file with every API request, one JSON object a line, secrets masked. */
  readonly requestLog: string;
}

export interface Sandbox {
  readonly info: SandboxInfo;
  /** Stops servers and emulator and removes every file. Safe to call twice. */
  stop(): Promise<void>;
}

export interface SandboxOptions {
  /** Default 17. */
  readonly postgres?: PostgresVersion;
  /** SQL files loaded as the owner, in order. Default: the sample schema, `sandbox/sample.sql`. */
  readonly sql?: readonly string[];
  /** Default "strict". See design: what the owner role may do. */
  readonly profile?: "strict" | "neon";
  /** Path of a fault script. */
  readonly faults?: string;
  /** Extra settings of the server, e.g. `log_statement=all`; for tests that read the server's log. */
  readonly settings?: Readonly<Record<string, string>>;
  /** One line for a person. Default: none. */
  readonly progress?: (line: string) => void;
}
