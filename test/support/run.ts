import type { Clock } from "../../provider/contract/clock";
import type { Run } from "../../provider/contract/kind";
import type { NeonApi } from "../../provider/contract/neonApi";
import type { Session } from "../../provider/contract/session";
import { createNeonApi } from "../../provider/neon";
import { CommandMemory } from "../../provider/plugin/commandMemory";
import { makeRun, type ProcessRun, type RunParts } from "../../provider/plugin/run";
import { ROLE_MADE_BY, type TestDatabase } from "./postgres";
import { rolesApi } from "./rolesApi";

/** A plugin process without an engine: the provider's own run, with its log as a list. */
export interface LoggedRun extends ProcessRun {
  /** The lines logged so far, oldest first. */
  readonly lines: readonly string[];
}

/** What differs between the two kinds of test processes. `log` is the one to pass on. */
type Parts = (log: Run["log"]) => Omit<RunParts, "log" | "memory">;

function loggedRun(parts: Parts): LoggedRun {
  const lines: string[] = [];
  const log = (line: string): void => {
    lines.push(line);
  };
  // Without a command, because the answers of one test must not reach another.
  const memory = new CommandMemory(undefined);
  return { ...makeRun({ ...parts(log), log, memory }), lines };
}

export interface LiveRunOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Path of the CA certificate by which the servers' certificates are verified. */
  readonly sslRootCert: string;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** What a checkpoint does. Throw to play an engine that is gone. Default: nothing. */
  readonly checkpoint?: () => void;
}

/** A plugin process that works on a Neon API and on real servers. */
export function liveRun(options: LiveRunOptions): LoggedRun {
  const { apiUrl: baseUrl, apiKey, sslRootCert, clock, checkpoint = () => undefined } = options;
  return loggedRun((log) => {
    const neon = createNeonApi({ baseUrl, apiKey, log, checkpoint, clock });
    return { neon: () => neon, connection: { sslRootCert }, clock, checkpoint };
  });
}

/** The target of a {@link testRun}: every SQL kind has these inputs. */
export const TARGET = { projectId: "cool-darkness-123456", branch: "main", database: "neondb" } as const;

export interface TestRunOptions {
  /** Neon's id of the branch. Another id plays a branch that was copied or restored. */
  readonly branchId?: string;
  /** What a checkpoint does. Throw to play an engine that is gone. Default: nothing. */
  readonly checkpoint?: () => void;
}

export interface TestRun extends LoggedRun {
  /** Lends the session to {@link TARGET} to the test itself. */
  session<Result>(work: (session: Session) => Promise<Result>): Promise<Result>;
}

/**
 * A plugin process that works on a real server, as the owner of its databases. It has no Neon API: every target means
 * the one branch of this server, and a kind that sends a request to Neon fails. Before PostgreSQL 16 it has the requests
 * about roles.
 */
export function testRun(
  { ownerUri, superuserUri, sslRootCert }: Pick<TestDatabase, "ownerUri" | "superuserUri" | "sslRootCert">,
  { branchId = "br-cool-sea-123456", checkpoint = () => undefined }: TestRunOptions = {},
): TestRun {
  const uri = new URL(ownerUri);
  const [host, port] = [uri.hostname, Number(uri.port)];
  const [owner, password] = [decodeURIComponent(uri.username), decodeURIComponent(uri.password)];
  const neon = ROLE_MADE_BY === "api" ? rolesApi(superuserUri) : NO_NEON;
  const run = loggedRun(() => ({
    neon: () => neon,
    resolve: ({ projectId, database }) =>
      Promise.resolve({
        projectId,
        branchId,
        branchName: "main",
        branchIsDefault: true,
        endpointId: "ep-cool-sea-123456",
        // With the port, as the sandbox's Neon API names it.
        host: uri.host,
        ...(database === undefined ? {} : { database: { name: database, owner } }),
      }),
    login: ({ database }) => Promise.resolve({ host, port, database: database.name, user: owner, password }),
    connection: { sslRootCert },
    checkpoint,
  }));
  return { ...run, session: (work) => run.sql(TARGET, work) };
}

/** The same process with other sessions for its handlers: to watch their statements, or to make them fail. */
export function withSessions<SomeRun extends Run>(
  run: SomeRun,
  wrap: (session: Session) => Session,
): SomeRun {
  return {
    ...run,
    sql: (target, work, ...how) => run.sql(target, (session) => work(wrap(session)), ...how),
  };
}

const NO_NEON = new Proxy({} as NeonApi, {
  get: (_, method) => {
    throw new Error(`A SQL kind asked Neon's API: ${String(method)}.`);
  },
});
