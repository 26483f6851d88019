import { UserError } from "../../contract/errors";
import type { LogicalReplicationInputs } from "../../contract/kinds/logicalReplication";
import type { NeonProject, NeonSettingsPatch } from "../../contract/neonApi";
import type { Target } from "../../contract/target";

/** How long a restarted compute may take until it reports `logical`, including a cold start, in seconds. */
const RESTART_SECONDS = 180;

/** How long a compute may take to restart on its own after somebody else turned the setting on, in seconds. */
const CATCH_UP_SECONDS = 20;

export type DatabaseTarget = Target & { readonly database: string };

/** What is done to turn logical replication on. */
export type LogicalReplicationStep =
  /** Turns the project's setting on. Neon then restarts all computes of the project. */
  | { readonly step: "enable logical replication" }
  /** Restarts the compute of the target's branch. */
  | { readonly step: "restart compute"; readonly target: DatabaseTarget }
  /** Connects again and again until the server reports `wal_level = logical`. */
  | {
      readonly step: "wait for wal_level";
      readonly target: DatabaseTarget;
      /** How long, in seconds. */
      readonly seconds: number;
      /** Steps for the case that the server does not report it in time. None: that is an error. */
      readonly otherwise: readonly LogicalReplicationStep[];
    };

/** What Neon and the server say before anything is changed. */
export interface Found {
  readonly project: NeonProject;
  /** Left out if the inputs name no database to ask. */
  readonly server?: {
    readonly target: DatabaseTarget;
    /** Answer to `SHOW wal_level`. */
    readonly walLevel: string;
  };
}

/**
 * Turns the project's setting on if it is off. The setting can also be on while the compute still runs without it:
 * somebody turned it on a moment ago, or an operation of Neon failed that should have restarted the compute. In the
 * first case waiting is enough; in the second the compute has to be restarted.
 *
 * @throws UserError if the setting is off and may not be turned on
 */
export function planLogicalReplication(
  { mode }: LogicalReplicationInputs,
  { project, server }: Found,
): LogicalReplicationStep[] {
  if (project.logicalReplication) {
    return server === undefined || server.walLevel === "logical" ? [] : planCatchUp(mode, server.target);
  }
  if (mode === "require") {
    throw new UserError(
      `Logical replication is off in project ${project.id}, and "require" leaves the project alone. Turn it on in Neon's console under Settings > Logical replication (all computes restart, and it cannot be undone), or set "enable" instead of "require".`,
    );
  }
  const enable: LogicalReplicationStep = { step: "enable logical replication" };
  return server === undefined ? [enable] : [enable, wait(server.target, RESTART_SECONDS)];
}

function planCatchUp(
  mode: LogicalReplicationInputs["mode"],
  target: DatabaseTarget,
): LogicalReplicationStep[] {
  if (mode === "require") return [wait(target, CATCH_UP_SECONDS)];
  return [
    wait(target, CATCH_UP_SECONDS, [{ step: "restart compute", target }, wait(target, RESTART_SECONDS)]),
  ];
}

function wait(
  target: DatabaseTarget,
  seconds: number,
  otherwise: readonly LogicalReplicationStep[] = [],
): LogicalReplicationStep {
  return { step: "wait for wal_level", target, seconds, otherwise };
}

/** Whether the steps turn the setting on. */
export function turnsOn(steps: readonly LogicalReplicationStep[]): boolean {
  return steps.some(({ step }) => step === "enable logical replication");
}

/** What the steps do, for a preview. */
export function describeSteps(steps: readonly LogicalReplicationStep[], projectId: string): string[] {
  if (turnsOn(steps))
    return [
      `Logical replication of project ${projectId} is off: turning it on restarts all computes of the project, so that every connection drops once, and cannot be undone.`,
    ];
  return steps.flatMap((step) => {
    if (step.step !== "wait for wal_level") return [];
    const restarts = step.otherwise.some(({ step: next }) => next === "restart compute");
    const then = restarts
      ? ", and then restarts the compute, so that its connections drop once"
      : ", and fails if it still does";
    return [
      `Logical replication of project ${projectId} is on, but the compute still runs without it: the up waits ${step.seconds} s for the compute${then}.`,
    ];
  });
}

/** The PATCH that turns the setting on; `undefined` if it is on. */
export function enablingPatch({ logicalReplication }: NeonProject): NeonSettingsPatch | undefined {
  return logicalReplication ? undefined : { enable_logical_replication: true };
}
