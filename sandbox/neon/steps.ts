import type { Step } from "./operations";
import { makeGhosts, readServer } from "./servers";
import { assertServer, isRunning, type BranchState, type Neon, type ProjectState } from "./state";
import type { OperationAction } from "./wire";

/** A step of an operation on a branch, and on its compute if it has one. */
export function step(branch: BranchState, action: OperationAction, run: Step["run"]): Step {
  return { action, branchId: branch.id, endpointId: branch.endpoint?.id, run };
}

export function suspend(neon: Neon, branch: BranchState): Step {
  return step(branch, "suspend_compute", async () => {
    if (!isRunning(neon, branch)) return;
    // Read before the stop, so that objects made in SQL stay visible while the server is down.
    await readServer(neon.compute, branch);
    await neon.compute.stop(branch.id);
    touchEndpoint(branch);
  });
}

/** Steps that delete the branch with its compute. */
export function removal(neon: Neon, project: ProjectState, branch: BranchState): Step[] {
  const remove = step(branch, "delete_timeline", async () => {
    project.branches.delete(branch.id);
    if (!branch.listedOnly) await neon.compute.deleteBranch(branch.id);
  });
  return isRunning(neon, branch) ? [suspend(neon, branch), remove] : [remove];
}

export function start(neon: Neon, branch: BranchState): Step {
  return step(branch, "start_compute", async () => {
    await neon.compute.start(branch.id);
    await makeGhosts(neon.compute, branch);
    touchEndpoint(branch);
  });
}

/**
 * Steps that change roles or databases. The connections of an active compute drop. An idle compute is started for the
 * change and suspended again.
 */
export function configure(neon: Neon, branch: BranchState, effect: () => Promise<void>): Step[] {
  assertServer(branch);
  const active = isRunning(neon, branch);
  const apply = step(branch, "apply_config", async () => {
    await effect();
    if (active) await neon.compute.dropConnections(branch.id);
  });
  return active ? [apply] : [apply, suspend(neon, branch)];
}

/**
 * Steps that restart every running server of the project with `wal_level=logical`. Other servers get it at their next
 * start.
 */
export function enableLogicalReplication(neon: Neon, project: ProjectState): Step[] {
  const branches = [...project.branches.values()].filter(
    (branch) => branch.state === "ready" && !branch.listedOnly,
  );
  for (const branch of branches) neon.compute.setWalLevel(branch.id, "logical");
  return branches
    .filter((branch) => isRunning(neon, branch))
    .flatMap((branch) => [suspend(neon, branch), start(neon, branch)]);
}

/** Gives a server the `wal_level` of its project, by a restart if it has another one. */
export async function followWalLevel(neon: Neon, project: ProjectState, branch: BranchState): Promise<void> {
  const asked = project.settings.enable_logical_replication ? "logical" : "replica";
  const [row] = await neon.compute.sql<{ wal_level: string }>(branch.id, "SHOW wal_level");
  if (row?.wal_level === asked) return;
  neon.compute.setWalLevel(branch.id, asked);
  await neon.compute.stop(branch.id);
  await neon.compute.start(branch.id);
}

function touchEndpoint(branch: BranchState): void {
  if (branch.endpoint !== undefined) branch.endpoint.updatedAt = new Date();
}
