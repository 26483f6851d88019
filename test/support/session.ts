import { CommandMemory } from "../../provider/plugin/commandMemory";
import type { Run } from "../../provider/contract/kind";
import type { NeonApi } from "../../provider/contract/neonApi";
import type { Login } from "../../provider/postgres/session/connection";
import type { Session } from "../../provider/contract/session";
import { Sessions } from "../../provider/postgres/session/sessions";
import type { ResolvedTarget, Target } from "../../provider/contract/target";
import type { TestDatabase } from "./postgres";

/** What the inputs of every SQL kind start with, for a {@link testRun}. */
export const TARGET = { projectId: "cool-darkness-123456", branch: "main", database: "neondb" } as const;

export interface TestRunOptions {
  /** What the branch is called by Neon: another one for "the branch has been copied or restored". */
  readonly branchId?: string;
  /** Called by `checkpoint`: throw to play an engine that has gone. */
  readonly checkpoint?: () => void;
}

export interface TestRun extends Run {
  /** What was logged, oldest first. */
  readonly lines: string[];
  /** The session to {@link TARGET}, outside of any handler. */
  session<Result>(work: (session: Session) => Promise<Result>): Promise<Result>;
  /** Ends all connections, as the end of the plugin process does. */
  end(): Promise<void>;
}

/** A plugin process that works on a real server as its owner: everything but Neon's API, which SQL kinds do not ask. */
export function testRun(
  db: Pick<TestDatabase, "ownerUri" | "sslRootCert">,
  options: TestRunOptions = {},
): TestRun {
  const { branchId = "br-cool-sea-123456", checkpoint = () => undefined } = options;
  const owner = new URL(db.ownerUri);
  process.env["PGSSLROOTCERT"] = db.sslRootCert;

  function resolve(target: Target): ResolvedTarget {
    return {
      projectId: target.projectId,
      branchId,
      branchName: "main",
      branchIsDefault: true,
      endpointId: "ep-cool-sea-123456",
      host: owner.hostname,
      ...(target.database === undefined
        ? {}
        : { database: { name: target.database, owner: decodeURIComponent(owner.username) } }),
    };
  }

  const login = (database: string): Login => ({
    host: owner.hostname,
    port: Number(owner.port),
    database,
    user: decodeURIComponent(owner.username),
    password: decodeURIComponent(owner.password),
  });

  const lines: string[] = [];
  const log = (line: string): void => {
    lines.push(line);
  };
  const memory = new CommandMemory(undefined);
  const sessions = new Sessions(({ database }) => Promise.resolve(login(database.name)), log);
  return {
    neon: NO_NEON,
    sql: (target, work) => sessions.use(resolve(target), work),
    resolve: (target) => Promise.resolve(resolve(target)),
    closeSql: (target) => sessions.close(target),
    oncePerCommand: (key, ask) => memory.once(key, ask),
    log,
    checkpoint,
    lines,
    session: (work) => sessions.use(resolve(TARGET), work),
    end: () => sessions.closeAll(),
  };
}

/** The same process with other sessions, for whoever watches their statements or makes them fail. */
export function withSessions<SomeRun extends Run>(
  run: SomeRun,
  wrap: (session: Session) => Session,
): SomeRun {
  return {
    ...run,
    sql: (target, work, recorded) => run.sql(target, (session) => work(wrap(session)), recorded),
  };
}

const NO_NEON = new Proxy({} as NeonApi, {
  get: (_, method) => {
    throw new Error(`A SQL kind asked Neon's API: ${String(method)}.`);
  },
});
