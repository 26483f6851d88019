import type { Run } from "../contract/kind";
import type { NeonApi } from "../contract/neonApi";
import type { Session } from "../contract/session";
import { NeonError } from "../neon";
import { SqlError } from "../postgres";

/** A run that notes whether anything was written. */
export interface WatchedRun {
  readonly run: Run;
  /**
   * Whether the work may have changed something in the database or in Neon. A transaction that was rolled back and a
   * request that Neon refused do not count.
   */
  readonly wrote: () => boolean;
}

/** Watches what one piece of work writes. */
export function watched(run: Run): WatchedRun {
  let written = false;
  const wrote = (): void => {
    written = true;
  };
  const watching: Partial<Run> = {
    sql: (target, work, ...how) => run.sql(target, (session) => work(watchedSession(session, wrote)), ...how),
  };
  const own = Object.assign(Object.create(run) as Run, watching);
  Object.defineProperty(own, "neon", { get: () => watchedApi(run.neon, wrote) });
  return { run: own, wrote: () => written };
}

function watchedSession(session: Session, wrote: () => void): Session {
  let inTransaction = false;
  return {
    target: session.target,
    serverVersion: session.serverVersion,
    address: session.address,
    read: (statement, values) => session.read(statement, values),
    catalog: () => session.catalog(),
    freshCatalog: () => session.freshCatalog(),
    write: async (statement, values) => {
      if (statement === "BEGIN") inTransaction = true;
      else if (statement === "ROLLBACK") inTransaction = false;
      else if (statement === "COMMIT") {
        inTransaction = false;
        // Its answer may be lost after the server has committed.
        wrote();
      } else if (!inTransaction)
        return noted(() => session.write(statement, values), wrote, isRolledBack(statement));
      return session.write(statement, values);
    },
  };
}

/** Whether an error of the statement proves that nothing of it is left. A block can commit parts of its work. */
function isRolledBack(statement: string): (error: unknown) => boolean {
  const isBlock = /^\s*(DO|CALL)\b/i.test(statement);
  return (error) => !isBlock && error instanceof SqlError;
}

function watchedApi(api: NeonApi, wrote: () => void): NeonApi {
  const change = <Value>(work: () => Promise<Value>): Promise<Value> =>
    noted(work, wrote, (error) => error instanceof NeonError && !error.outcomeUnknown);
  const mutating: Partial<NeonApi> = {
    updateSettings: (...given) => change(() => api.updateSettings(...given)),
    createBranch: (...given) => change(() => api.createBranch(...given)),
    updateBranch: (...given) => change(() => api.updateBranch(...given)),
    deleteBranch: (...given) => change(() => api.deleteBranch(...given)),
    createRole: (...given) => change(() => api.createRole(...given)),
    resetPassword: (...given) => change(() => api.resetPassword(...given)),
    deleteRole: (...given) => change(() => api.deleteRole(...given)),
  };
  return Object.assign(Object.create(api) as NeonApi, mutating);
}

/** Does the work, and notes it as written unless its error proves that it changed nothing. */
async function noted<Value>(
  work: () => Promise<Value>,
  wrote: () => void,
  changedNothing: (error: unknown) => boolean,
): Promise<Value> {
  try {
    const value = await work();
    wrote();
    return value;
  } catch (error) {
    if (!changedNothing(error)) wrote();
    throw error;
  }
}
