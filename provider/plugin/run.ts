import type { Catalog } from "../contract/catalog";
import { Claims } from "../contract/claims";
import { systemClock, type Clock } from "../contract/clock";
import type { ConnectionSettings, Login } from "../contract/connection";
import type { Run } from "../contract/kind";
import type { NeonApi } from "../contract/neonApi";
import type { Session } from "../contract/session";
import type { RecordedTarget, ResolvedTarget, Target } from "../contract/target";
import { connectTo } from "../neon";
import { isHandedOver, Sessions, type DatabaseTarget } from "../postgres";
import type { CommandMemory } from "./commandMemory";
import { assertRecorded, Places } from "./places";

/** What a {@link ProcessRun} is made of. */
export interface RunParts {
  /** Makes the client of Neon's API. Called at every use, so it should keep its answer. */
  readonly neon: () => NeonApi;
  /** Looks up what a target means; the run keeps the answers. Default: Neon's API. */
  readonly resolve?: Run["resolve"];
  /** Looks up how a database's owner logs in, for every new connection. Default: Neon's API. */
  readonly login?: (target: DatabaseTarget) => Promise<Login>;
  readonly connection: ConnectionSettings;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  readonly memory: CommandMemory;
  readonly log: Run["log"];
  /** Default: progress is not shown. */
  readonly status?: Run["status"];
  readonly checkpoint: Run["checkpoint"];
}

/** The run of one process, with its end. */
export interface ProcessRun extends Run {
  /** Closes all SQL sessions. A later use opens new ones. */
  end(): Promise<void>;
}

/** Makes the one run of a process. It keeps resolved targets and SQL sessions, each made when first needed. */
export function makeRun(parts: RunParts): ProcessRun {
  const { neon, connection, clock = systemClock, memory, log, checkpoint } = parts;
  const sessions = new Sessions({
    login: parts.login ?? ((target: DatabaseTarget) => connectTo(neon(), target)),
    ownerOf: async ({ projectId, branchId, database: { name } }) =>
      (await neon().databases(projectId, branchId)).find((database) => database.name === name)?.owner,
    isHandedOver,
    connection,
    log,
  });
  // A line about a place, e.g. that the branch was renamed, is the same for every resource.
  const said = new Set<string>();
  const logOnce = (line: string): void => {
    if (!said.has(line)) log(line);
    said.add(line);
  };
  const lookUp = parts.resolve ?? new Places(neon, sessions, logOnce).resolve;

  const resolved = new Map<string, Promise<ResolvedTarget>>();
  const keyOf = ({ projectId, branch, database }: Target, recorded: Partial<RecordedTarget> | undefined) =>
    JSON.stringify([projectId, branch, database, recorded?.branchId]);
  const resolve: Run["resolve"] = (target, recorded) => {
    const key = keyOf(target, recorded);
    const known = resolved.get(key);
    if (known !== undefined) return known;
    const answer = lookUp(target, recorded);
    resolved.set(key, answer);
    // The user may have mended the cause meanwhile, so the next resource must ask again.
    answer.catch(() => resolved.delete(key));
    return answer;
  };

  const forecasts = new Map<string, Catalog>();

  return {
    get neon() {
      return neon();
    },
    resolve,
    sql: async (target, work, recorded = {}, as) =>
      sessions.use(
        await resolve(target, recorded),
        async (session) => {
          await assertRecorded(session, recorded);
          // The session knows more than Neon's API said: the database's oid, and an owner that has changed since.
          if (as === undefined) resolved.set(keyOf(target, recorded), Promise.resolve(session.target));
          return work(session);
        },
        as,
      ),
    closeSql: (target, meanwhile) => sessions.close(target, meanwhile),
    oncePerCommand: (key, ask) => memory.once(key, ask),
    connection,
    clock,
    log,
    status: parts.status ?? (() => undefined),
    forecast: (session) => Promise.resolve(forecasts.get(placeOf(session)) ?? session.catalog()),
    expect: (session, catalog) => {
      forecasts.set(placeOf(session), catalog);
    },
    claims: new Claims(),
    checkpoint,
    end: () => sessions.closeAll(),
  };
}

function placeOf({ target: { projectId, branchId, database } }: Session): string {
  return JSON.stringify([projectId, branchId, database.name]);
}
