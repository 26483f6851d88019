import { redact } from "../../contract/secrets";

/** Why a server, or Neon's proxy in front of it, refused a login. */
export type LoginFailure =
  | "wrong password"
  | "role may not log in"
  | "no privilege on database"
  | "no such database"
  | "starting"
  | "no free connection"
  | "address refused";

interface Signs {
  /** SQLSTATEs that PostgreSQL itself gives. */
  readonly sqlStates: readonly string[];
  /** Words of PostgreSQL or of Neon's proxy. They count only with SQLSTATE XX000. */
  readonly words: RegExp;
  /** How long after the first attempt another one may still succeed, in milliseconds; 0: never. */
  readonly patience: number;
}

/** Longest wait for a compute that is starting, in milliseconds. Neon's own limit for a start is far below. */
export const STARTING_MS = 60_000;
/** Longest wait for a free connection, in milliseconds. Connections of a migration or a deployment end soon. */
const FULL_MS = 10_000;

/**
 * Neon's proxy gives every failure of a login the SQLSTATE XX000, its own and the compute's, and leaves only the message.
 * So the words decide there. They are those of PostgreSQL 14 to 18 (`postmaster.c`, `postinit.c`, `miscinit.c`,
 * `auth.c`) and of the proxy (`proxy/src/auth/mod.rs`, `proxy/src/compute.rs`). The server's language cannot change them,
 * because Neon's computes speak English.
 */
const FAILURES: Readonly<Record<LoginFailure, Signs>> = {
  "wrong password": {
    sqlStates: ["28P01"],
    words: /^password authentication failed for user/,
    patience: 0,
  },
  "role may not log in": {
    sqlStates: ["28000"],
    words: /^role ".*" (is not permitted to log in|does not exist)$/,
    patience: 0,
  },
  "no privilege on database": {
    sqlStates: ["42501"],
    words: /^permission denied for database /,
    patience: 0,
  },
  "no such database": {
    sqlStates: ["3D000"],
    words: /^database ".*" does not exist$/,
    patience: 0,
  },
  // 57P03: the server starts, shuts down or recovers. 57P01: it was stopped during the login.
  starting: {
    sqlStates: ["57P03", "57P01"],
    words:
      /^the database system is |^terminating connection due to administrator command|couldn't connect to compute node|control plane request failed/i,
    patience: STARTING_MS,
  },
  "no free connection": {
    sqlStates: ["53300"],
    words: /too many (connections|clients)|^remaining connection slots are reserved/i,
    patience: FULL_MS,
  },
  "address refused": {
    sqlStates: [],
    words: /^This IP address .*is not allowed to connect/i,
    patience: 0,
  },
};

/** What Neon's proxy gives as the SQLSTATE of every failure: "internal error". */
const PROXY_SQLSTATE = "XX000";

/** Which failure of a login the error means; `undefined` if it means none of them. */
export function loginFailure(error: unknown): LoginFailure | undefined {
  const { code, message } = facts(error);
  for (const [failure, { sqlStates, words }] of Object.entries(FAILURES) as [LoginFailure, Signs][])
    if (sqlStates.includes(code) || (code === PROXY_SQLSTATE && words.test(message))) return failure;
  return undefined;
}

/** How long after the first attempt another login may still succeed, in milliseconds; 0: never. */
export function patienceAfter(failure: LoginFailure): number {
  return FAILURES[failure].patience;
}

/**
 * Code and message of anything that was thrown, without secrets; empty where it has none. The driver, Node.js and TLS
 * have different classes of errors.
 */
export function facts(error: unknown): { readonly code: string; readonly message: string } {
  const { code, message }: { code?: unknown; message?: unknown } =
    typeof error === "object" && error !== null ? error : {};
  // The driver's words for the limit of a connection's answers.
  const said = message === "Query read timeout" ? "the server did not answer in time" : message;
  return {
    code: typeof code === "string" ? code : "",
    message: redact(typeof said === "string" ? said : String(error)),
  };
}
