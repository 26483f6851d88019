import type { Catalog } from "../../contract/catalog";
import type { Claims } from "../../contract/claims";
import { isGone, UnfinishedError, UserError } from "../../contract/errors";
import { parseProjectId } from "../../contract/importId";
import {
  type LogicalReplicationInputs,
  type LogicalReplicationOutputs,
  logicalReplicationDefinition,
} from "../../contract/kinds/logicalReplication";
import type { Kind, Planned, Run } from "../../contract/kind";
import { execute, type Doers } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { recorded, type RecordedTarget, type Target } from "../../contract/target";
import { systemClock, type Clock } from "../../contract/clock";
import { backoff } from "../api/backoff";
import { listBefore } from "../allowList/before";
import { visibleProject } from "../target/project";
import {
  describeSteps,
  enablingPatch,
  turnsOn,
  planLogicalReplication,
  type DatabaseTarget,
  type LogicalReplicationStep,
} from "./plan";

/** {@link logicalReplicationKind} without an inspection of the database. */
export const logicalReplication = logicalReplicationKind(systemClock);

/** Inspects the database before anything is changed. Throws a UserError to stop there. */
type Inspect = (session: Session, inputs: LogicalReplicationInputs, look: Look) => Promise<void>;

/** What an inspection looks at. */
interface Look {
  /** The database as it is, or in a preview as it will be. It is read only if the inspection needs it. */
  readonly catalog: () => Promise<Catalog>;
  /** Whether the trail is in the state, so that its objects may exist. */
  readonly exists: boolean;
  /** What the other trails of the process are going to make. */
  readonly claims: Claims;
}

/**
 * The project's logical replication setting. One PATCH of that one setting turns it on, and restarts all computes of
 * the project. It is never turned off, because Neon cannot.
 *
 * @param inspect looks for obstacles to the inputs' `preflight`; the rooms of PostgreSQL know them
 */
export function logicalReplicationKind(
  clock: Clock,
  inspect: Inspect = () => Promise.resolve(),
): Kind<LogicalReplicationInputs, LogicalReplicationOutputs> {
  return {
    definition: logicalReplicationDefinition,
    id: ({ projectId }) => projectId,

    plan: (inputs, run, state) => plan(inputs, state, { run, clock, inspect }),

    create: (inputs, run) => ensure(inputs, undefined, { run, clock, inspect }),

    read: async (state, run) => {
      const { projectId, enabledHere = false, ipAllowLacked = [], ipAllowWasOpen = false } = state;
      const project = await visibleProject(projectId, (id) => run.neon.knownProject(id));
      const outputs = {
        ...(await whereVerified(state, run)),
        walLevel: "logical",
        enabledHere,
        ipAllowLacked,
        ipAllowWasOpen,
      } as const;
      return project.logicalReplication
        ? { outputs }
        : { outputs, drift: { logicalReplicationOff: `project ${projectId}` } };
    },

    update: (state, inputs, run) => ensure(inputs, state, { run, clock, inspect }),

    delete: ({ projectId }, run) => {
      run.log(
        `Logical replication of project ${projectId} stays on: Neon cannot turn it off again, and others may use it`,
      );
      return Promise.resolve();
    },

    find: async (id, run) => {
      const projectId = parseProjectId(id, logicalReplicationDefinition.type);
      const { logicalReplication: on } = await visibleProject(projectId, (id) => run.neon.knownProject(id));
      return on ? { inputs: { projectId }, outputs: { walLevel: "logical", enabledHere: false } } : undefined;
    },
  };
}

/**
 * What the state's database means now. The setting is the project's: when the branch or the database is gone, the
 * resource stays, and records neither.
 */
async function whereVerified(
  state: LogicalReplicationInputs & Partial<LogicalReplicationOutputs>,
  run: Run,
): Promise<Partial<RecordedTarget>> {
  if (!hasDatabase(state)) return {};
  try {
    return await run.sql(targetOf(state), (session) => Promise.resolve(recorded(session.target)), state);
  } catch (error) {
    if (isGone(error)) return {};
    throw error;
  }
}

function hasDatabase<Value extends Target>(target: Value): target is Value & { readonly database: string } {
  return target.database !== undefined;
}

function targetOf(target: DatabaseTarget): DatabaseTarget {
  const { projectId, branch, database } = target;
  return { projectId, branch, database };
}

type State = LogicalReplicationInputs & Partial<LogicalReplicationOutputs>;

/** What the work needs besides inputs and state. */
interface Means {
  readonly run: Run;
  readonly clock: Clock;
  readonly inspect: Inspect;
}

/** Asks Neon and the database what the work would be. */
async function plan(
  inputs: LogicalReplicationInputs,
  state: State | undefined,
  { run, inspect }: Means,
): Promise<Planned<LogicalReplicationOutputs>> {
  const project = await visibleProject(inputs.projectId, (id) => run.neon.knownProject(id));
  const target = hasDatabase(inputs) ? targetOf(inputs) : undefined;
  const server =
    target &&
    (await run.sql(
      target,
      async (session) => {
        const catalog = await run.forecast(session);
        await inspect(session, inputs, {
          catalog: () => Promise.resolve(catalog),
          exists: state !== undefined,
          claims: run.claims,
        });
        const { walLevel } = catalog.server;
        run.expect(session, { ...catalog, server: { ...catalog.server, walLevel: "logical" } });
        return { target, where: recorded(session.target), walLevel };
      },
      state,
    ));
  const steps = planLogicalReplication(inputs, { project, server });
  return {
    outputs: {
      ...server?.where,
      ...listBefore(inputs, project.allowedIps, state),
      walLevel: "logical",
      enabledHere: turnsOn(steps) || (state?.enabledHere ?? false),
    },
    changes: describeSteps(steps, project.id),
  };
}

/** Makes sure that logical replication is on and that the server confirms it. */
async function ensure(
  inputs: LogicalReplicationInputs,
  state: State | undefined,
  { run, clock, inspect }: Means,
): Promise<LogicalReplicationOutputs> {
  const project = await visibleProject(inputs.projectId, (id) => run.neon.project(id));
  const database: Database = { run, clock, recordedTarget: state };
  // The server is asked before any change, so that a wrong name or an unreachable host costs no restart.
  const server = hasDatabase(inputs)
    ? await ask(database, targetOf(inputs), (session) =>
        inspect(session, inputs, {
          catalog: () => session.catalog(),
          exists: state !== undefined,
          claims: run.claims,
        }),
      )
    : undefined;
  const steps = planLogicalReplication(inputs, { project, server });
  const enables = turnsOn(steps);
  if (!enables && steps.length > 0) {
    run.log(
      `Logical replication of project ${project.id} is on, but the compute still runs without it; waiting`,
    );
  }

  const begun = clock.now();
  let where = server?.where;
  const before = listBefore(inputs, project.allowedIps, state);
  const done = { turnedOn: false };
  const doers: Doers<LogicalReplicationStep> = {
    "enable logical replication": async () => {
      run.log(
        `Turning on logical replication of project ${project.id}: all of its computes restart and connections drop once. Neon cannot turn it off again`,
      );
      await run.closeSql({ projectId: project.id }, () =>
        run.neon.updateSettings(project.id, enablingPatch, project),
      );
      done.turnedOn = true;
    },
    "restart compute": ({ target }) => restartCompute(database, target),
    "wait for wal_level": async ({ target, seconds, otherwise }) => {
      try {
        where = await confirmed(database, target, seconds);
      } catch (error) {
        if (otherwise.length === 0 || !(error instanceof Unconfirmed)) throw error;
        await execute(otherwise, doers, run);
      }
    },
  };
  try {
    await execute(steps, doers, run);
  } catch (error) {
    // Neon cannot turn the setting off again, and nothing else remembers who turned it on.
    if (!done.turnedOn || !(error instanceof UserError)) throw error;
    throw new UnfinishedError(error.message, { ...where, ...before, walLevel: "logical", enabledHere: true });
  }
  if (enables) {
    const seconds = ((clock.now() - begun) / 1_000).toFixed(1);
    run.log(
      `Logical replication of project ${project.id} is on${where ? " and verified" : ""}, after ${seconds} s`,
    );
  }
  return { ...where, ...before, walLevel: "logical", enabledHere: enables || (state?.enabledHere ?? false) };
}

/** How to reach the database. */
interface Database extends Pick<Means, "run" | "clock"> {
  /** What the target meant according to the state. */
  readonly recordedTarget: Partial<RecordedTarget> | undefined;
}

/** The server's answer. */
interface Answer {
  readonly target: DatabaseTarget;
  /** What the target means now. */
  readonly where: RecordedTarget;
  readonly walLevel: string;
}

/** Connects, which resolves the whole target, and asks the server for its `wal_level`. */
function ask(
  { run, recordedTarget }: Database,
  target: DatabaseTarget,
  inspect?: (session: Session) => Promise<void>,
): Promise<Answer> {
  return run.sql(
    target,
    async (session) => {
      await inspect?.(session);
      const [row] = await session.read<{ wal_level: string }>("SHOW wal_level");
      return { target, where: recorded(session.target), walLevel: row?.wal_level ?? "unknown" };
    },
    recordedTarget,
  );
}

async function restartCompute({ run, recordedTarget }: Database, target: DatabaseTarget): Promise<void> {
  const { endpointId } = await run.resolve(target, recordedTarget);
  run.log(
    `Restarting compute ${endpointId}, so that logical replication takes effect; its connections drop once`,
  );
  const { projectId } = target;
  await run.closeSql({ projectId }, () => run.neon.restartEndpoint(projectId, endpointId));
}

/** The project's setting is on, but the server did not confirm it in time. */
class Unconfirmed extends UserError {}

/** Connects anew until the server reports `logical`, also through a restart of its compute. */
async function confirmed(
  database: Database,
  target: DatabaseTarget,
  seconds: number,
): Promise<RecordedTarget> {
  const { run, clock } = database;
  const deadline = clock.now() + seconds * 1_000;
  for (let attempt = 0; ; attempt++) {
    run.checkpoint();
    await run.closeSql(target);
    let seen: string;
    try {
      const { where, walLevel } = await ask(database, target);
      if (walLevel === "logical") return where;
      seen = `wal_level is ${walLevel}`;
    } catch (error) {
      // While a compute restarts, connecting fails in many ways. Only the deadline tells a restart from another fault.
      seen = error instanceof Error ? error.message : String(error);
    }
    if (clock.now() >= deadline) {
      throw new Unconfirmed(
        `Logical replication of project ${target.projectId} is on, but database ${target.database} does not confirm it within ${seconds} s (${seen}). Restart the branch's compute in Neon's console, then run this again.`,
      );
    }
    run.status(`Waiting for database ${target.database} to confirm logical replication (${seen})`);
    await clock.sleep(backoff(attempt));
  }
}
