import { CommandMemory } from "../provider/plugin/commandMemory";
import type { Run } from "../provider/contract/kind";
import type { NeonApi } from "../provider/contract/neonApi";
import type { Login } from "../provider/postgres/session/connection";
import type { Session } from "../provider/contract/session";
import { Sessions } from "../provider/postgres/session/sessions";
import type { ResolvedTarget } from "../provider/contract/target";
import { watchedSession } from "../test/support/watchedSession";
import type { Place } from "./place";

/** What the inputs of every SQL kind start with. */
export const TARGET = { projectId: "cool-darkness-123456", branch: "main", database: "neondb" } as const;

/** A plugin process that works in a {@link Place} as its owner. Of Neon's API there is nothing: SQL kinds do not ask it. */
export interface Plugin extends Run {
  /** The session of the process, outside of any handler. */
  session<Result>(work: (session: Session) => Promise<Result>): Promise<Result>;
  /** How long the statements took that a pattern matches, in milliseconds, round trip included. */
  timeOf(pattern: RegExp): number;
  /** Closes the connections, as the end of the process does. */
  end(): Promise<void>;
}

export function startPlugin({ ownerUri, sslRootCert }: Place): Plugin {
  process.env["PGSSLROOTCERT"] = sslRootCert;
  const owner = new URL(ownerUri);
  const target: ResolvedTarget = {
    projectId: TARGET.projectId,
    branchId: "br-cool-sea-123456",
    branchName: TARGET.branch,
    branchIsDefault: true,
    endpointId: "ep-cool-sea-123456",
    host: owner.hostname,
    database: { name: TARGET.database, owner: owner.username },
  };
  const login: Login = {
    host: owner.hostname,
    port: Number(owner.port),
    database: TARGET.database,
    user: owner.username,
    password: owner.password,
  };
  const memory = new CommandMemory(undefined);
  const sessions = new Sessions(
    () => Promise.resolve(login),
    () => undefined,
  );
  const taken: { readonly statement: string; readonly ms: number }[] = [];
  const sql: Run["sql"] = (_, work) => sessions.use(target, (session) => work(timed(session, taken)));
  return {
    neon: NO_NEON,
    sql,
    resolve: () => Promise.resolve(target),
    closeSql: () => sessions.closeAll(),
    oncePerCommand: (key, ask) => memory.once(key, ask),
    log: () => undefined,
    checkpoint: () => undefined,
    session: (work) => sql(TARGET, work),
    timeOf: (pattern) =>
      taken.filter(({ statement }) => pattern.test(statement)).reduce((sum, { ms }) => sum + ms, 0),
    end: () => sessions.closeAll(),
  };
}

function timed(session: Session, taken: { statement: string; ms: number }[]): Session {
  return watchedSession(session, async (statement, send) => {
    const started = performance.now();
    try {
      return await send();
    } finally {
      taken.push({ statement, ms: performance.now() - started });
    }
  });
}

const NO_NEON = new Proxy({} as NeonApi, {
  get: (_, method) => {
    throw new Error(`A SQL kind asked Neon's API: ${String(method)}.`);
  },
});
