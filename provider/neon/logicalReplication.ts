import { isGone, UserError } from "../contract/errors";
import { logicalReplicationInputs, type LogicalReplicationInputs } from "../contract/inputs";
import type { Kind, Run } from "../contract/kind";
import type { LogicalReplicationOutputs } from "../contract/outputs";
import { recorded, type RecordedTarget, type Target } from "../contract/target";
import type { NeonProject } from "../contract/neonApi";
import { systemClock, type Clock } from "../contract/clock";
import { backoff } from "./clock";

/** How long a restarted compute may take until it says `logical`, cold start included, in milliseconds. */
const RESTART_DEADLINE = 180_000;

/** How long a compute may take to restart by itself, after somebody else turned the setting on, in milliseconds. */
const CATCH_UP_DEADLINE = 20_000;

/**
 * The project's logical replication setting. Turned on with one PATCH of that one key, which restarts all computes
 * of the project; never turned off, as Neon cannot.
 */
export const logicalReplication = logicalReplicationKind(systemClock);

/** Looks into the database before anything is changed; throws a UserError to stop there. */
export type Inspect = (
  session: Parameters<Parameters<Run["sql"]>[1]>[0],
  inputs: LogicalReplicationInputs,
) => Promise<void>;

/**
 * @param inspect what else stands in the way of the inputs' `preflight`: the SQL side knows
 */
export function logicalReplicationKind(
  clock: Clock,
  inspect: Inspect = () => Promise.resolve(),
): Kind<LogicalReplicationInputs, LogicalReplicationOutputs> {
  return {
    name: "logicalReplication",
    inputs: logicalReplicationInputs,
    // Branch and database only say where it is verified.
    replaceOn: ["projectId"],
    id: ({ projectId }) => projectId,

    notice: ({ projectId, mode }) =>
      mode === "enable"
        ? `If logical replication is off in project ${projectId}, this turns it on: all computes of the project restart, so that every connection drops once, and it cannot be undone`
        : undefined,

    create: (inputs, run) => ensure(inputs, false, { run, clock, inspect }),

    read: async (state, run) => {
      try {
        const project = await run.neon.knownProject(state.projectId);
        const where = hasDatabase(state) ? recorded(await run.resolve(targetOf(state), state)) : {};
        const outputs = { ...where, walLevel: "logical", enabledHere: state.enabledHere ?? false } as const;
        return project.logicalReplication
          ? { outputs }
          : { outputs, drift: { "logical replication": "off" } };
      } catch (error) {
        if (isGone(error)) return undefined;
        throw error;
      }
    },

    update: (state, inputs, run) =>
      ensure(inputs, state.enabledHere ?? false, { run, clock, inspect }, state),

    delete: ({ projectId }, run) => {
      run.log(
        `Logical replication of project ${projectId} stays on: Neon cannot turn it off again, and others may use it`,
      );
      return Promise.resolve();
    },
  };
}

type DatabaseTarget = Target & { readonly database: string };

function hasDatabase<Value extends Target>(target: Value): target is Value & { readonly database: string } {
  return target.database !== undefined;
}

function targetOf(target: DatabaseTarget): DatabaseTarget {
  const { projectId, branch, database } = target;
  return { projectId, branch, database };
}

async function ensure(
  inputs: LogicalReplicationInputs,
  enabledBefore: boolean,
  { run, clock, inspect }: { readonly run: Run; readonly clock: Clock; readonly inspect: Inspect },
  before?: Partial<RecordedTarget>,
): Promise<LogicalReplicationOutputs> {
  const check: Check | undefined = hasDatabase(inputs)
    ? { target: targetOf(inputs), run, clock, before }
    : undefined;
  const project = await run.neon.project(inputs.projectId);
  // What the database says comes before any change: a wrong name or an unreachable host must not cost a restart.
  const found = check && (await probe(check, (session) => inspect(session, inputs)));
  if (project.logicalReplication) {
    const settled = check === undefined || found?.walLevel === "logical";
    const where = settled ? found?.where : await catchUp(check, inputs);
    return { ...where, walLevel: "logical", enabledHere: enabledBefore };
  }
  if (inputs.mode === "require") {
    throw new UserError(
      `Logical replication is off in project ${inputs.projectId}, and logicalReplication: "require" leaves the project alone. Turn it on in Neon's console under Settings > Logical replication (all computes restart, and it cannot be undone), or set logicalReplication: "enable".`,
    );
  }
  const begun = clock.now();
  await enable(project, run);
  const where = check && (await verified(check, RESTART_DEADLINE));
  const seconds = ((clock.now() - begun) / 1_000).toFixed(1);
  run.log(
    `Logical replication of project ${project.id} is on${where ? " and verified" : ""}, after ${seconds} s`,
  );
  return { ...where, walLevel: "logical", enabledHere: true };
}

async function enable(project: NeonProject, run: Run): Promise<void> {
  run.checkpoint();
  run.log(
    `Turning on logical replication of project ${project.id}: all of its computes restart and connections drop once. Neon cannot turn it off again`,
  );
  await run.closeSql({ projectId: project.id });
  await run.neon.updateSettings(
    project.id,
    ({ logicalReplication: on }) => (on ? undefined : { enable_logical_replication: true }),
    project,
  );
}

/** A database to ask, and what asking takes. */
interface Check {
  readonly target: DatabaseTarget;
  readonly run: Run;
  readonly clock: Clock;
  readonly before: Partial<RecordedTarget> | undefined;
}

/** Connects, which resolves the whole target, and asks the server. */
function probe(
  { target, run, before }: Check,
  look?: (session: Parameters<Inspect>[0]) => Promise<void>,
): Promise<{ where: RecordedTarget; walLevel: string }> {
  return run.sql(
    target,
    async (session) => {
      await look?.(session);
      const [row] = await session.read<{ wal_level: string }>("SHOW wal_level");
      return { where: recorded(session.target), walLevel: row?.wal_level ?? "unknown" };
    },
    before,
  );
}

/**
 * The setting is on, but the compute runs without it: somebody turned it on this moment, or an operation that should
 * have restarted the compute failed. The former passes; the latter takes a restart of that one compute.
 */
async function catchUp(check: Check, { projectId, mode }: LogicalReplicationInputs): Promise<RecordedTarget> {
  const { run, target, before } = check;
  run.log(
    `Logical replication of project ${projectId} is on, but the compute still runs without it; waiting`,
  );
  try {
    return await verified(check, CATCH_UP_DEADLINE);
  } catch (error) {
    if (mode === "require" || !(error instanceof Unconfirmed)) throw error;
  }
  const { endpointId } = await run.resolve(target, before);
  run.checkpoint();
  run.log(
    `Restarting compute ${endpointId}, so that logical replication takes effect; its connections drop once`,
  );
  await run.closeSql({ projectId });
  await run.neon.restartEndpoint(projectId, endpointId);
  return verified(check, RESTART_DEADLINE);
}

/** Logical replication is on in Neon's settings, and the server does not say so. */
class Unconfirmed extends UserError {}

/** Connects anew, through the restart of the compute, until the server says `logical`. */
async function verified(check: Check, patience: number): Promise<RecordedTarget> {
  const { target, run, clock } = check;
  const deadline = clock.now() + patience;
  for (let attempt = 0; ; attempt++) {
    run.checkpoint();
    await run.closeSql(target);
    let seen: string;
    try {
      const { where, walLevel } = await probe(check);
      if (walLevel === "logical") return where;
      seen = `wal_level is ${walLevel}`;
    } catch (error) {
      // While the compute restarts, connecting fails in many ways; only time tells a restart from a lasting problem.
      seen = error instanceof Error ? error.message : String(error);
    }
    if (clock.now() >= deadline) {
      throw new Unconfirmed(
        `Logical replication of project ${target.projectId} is on, but database ${target.database} does not confirm it within ${patience / 1_000} s (${seen}). Restart the branch's compute in Neon's console, then run this again.`,
      );
    }
    await clock.sleep(backoff(attempt));
  }
}
