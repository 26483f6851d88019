import { randomBytes } from "node:crypto";
import { UserError } from "../../contract/errors";
import { branchDefinition, type BranchInputs, type BranchOutputs } from "../../contract/kinds/branch";
import type { Drift, Kind, Planned, Run } from "../../contract/kind";
import type { NeonBranch } from "../../contract/neonApi";
import { execute, type Doers } from "../../contract/plan";
import { directAddress } from "../target/connection";
import { visibleProject } from "../target/project";
import { annotationOf, isMarkOf, markOf } from "./mark";
import {
  describeSteps,
  describeTakeover,
  obstacleToDelete,
  parentOf,
  planCreate,
  planUpdate,
  type BranchState,
  type BranchStep,
  type ProjectFacts,
} from "./plan";

/**
 * A branch that the stack makes for itself, with a read-write compute. The branch's annotation in Neon is its mark of
 * ownership: an up that was killed after the request continues with its own branch, and nobody else's is deleted.
 */
export const branch: Kind<BranchInputs, BranchOutputs> = {
  definition: branchDefinition,
  id: ({ projectId, name }) => `${projectId}/${name}`,

  plan,

  create: async (inputs, run, replaces) => {
    const facts = await factsOf(inputs, run);
    const steps = planCreate(inputs, facts, replaces?.branchId);
    const made: { branch?: NeonBranch } = {};
    await execute(steps, doers(inputs, run, made), run);
    if (made.branch === undefined) throw new Error("the plan of a new branch made none");
    return outputsOf({ ...inputs, parentId: parentOf(inputs, facts.branches).id }, made.branch, run);
  },

  read: async (state, run) => {
    await visibleProject(state.projectId, (id) => run.neon.knownProject(id));
    const found = await findOwn(state, run);
    if (found === undefined) return undefined;
    const drift: Drift =
      found.name === state.name
        ? {}
        : { branchRenamed: `${JSON.stringify(state.name)} is ${JSON.stringify(found.name)} now` };
    return { outputs: await outputsOf(state, found, run), drift };
  },

  update: async (state, inputs, run) => {
    const found = await findOwn(state, run);
    if (found === undefined)
      throw new UserError(
        `Branch ${inputs.name} of project ${inputs.projectId} is gone. Run this again, and it is made anew.`,
      );
    await execute(planUpdate(state, inputs, found), doers(inputs, run), run);
    const now = await run.neon.branch(inputs.projectId, found.id);
    return outputsOf({ ...state, ...inputs }, now ?? found, run);
  },

  delete: async (state, run) => {
    const { projectId, name } = state;
    await visibleProject(projectId, (id) => run.neon.knownProject(id));
    const found = await findOwn(state, run);
    if (found === undefined) {
      run.log(`Branch ${name} of project ${projectId} is gone already`);
      return;
    }
    const obstacle = obstacleToDelete(state, found, await run.neon.branches(projectId));
    if (obstacle !== undefined) throw new UserError(obstacle);
    run.checkpoint();
    await run.closeSql({ projectId }, () => run.neon.deleteBranch(projectId, found.id));
  },

  find: (id) =>
    Promise.reject(
      new UserError(
        `"${id}" cannot be imported as a Branch: this resource deletes its branch on destroy, and so has only branches that it made. Name a branch that exists where it is used: branch: "...".`,
      ),
    ),
};

/** The steps over what Neon says, without taking any. */
async function plan(
  inputs: BranchInputs,
  run: Run,
  state?: BranchState,
  replaces?: BranchState,
): Promise<Planned<BranchOutputs>> {
  const facts = await factsOf(inputs, run);
  if (state === undefined) {
    const steps = planCreate(inputs, facts, replaces?.branchId);
    const outputs = { parentId: parentOf(inputs, facts.branches).id };
    return { outputs, changes: describeSteps(inputs, steps) };
  }
  const found = await findOwn(state, run);
  const steps = found === undefined ? [] : planUpdate(state, inputs, found);
  const { branchId, endpointId, host, port, parentId, createdAt, ownershipId } = state;
  // A new expiry has a time that only the update knows.
  const outputs = { branchId, endpointId, host, port, parentId, createdAt, ownershipId };
  const expires = steps.some(({ step }) => step === "set expiry") ? {} : { expiresAt: state.expiresAt };
  return { outputs: { ...outputs, ...expires }, changes: describeSteps(inputs, steps) };
}

async function factsOf({ projectId }: BranchInputs, run: Run): Promise<ProjectFacts> {
  const { branchesLimit } = await visibleProject(projectId, (id) => run.neon.knownProject(id));
  const branches = await run.neon.branches(projectId);
  return { branches, ...(branchesLimit === undefined ? {} : { branchesLimit }) };
}

/**
 * The branch of the state, by its id. The state of a create that failed midway has no id: then by name and mark.
 */
async function findOwn(state: BranchState, run: Run): Promise<NeonBranch | undefined> {
  const { projectId, branchId, name } = state;
  if (branchId !== undefined) return run.neon.branch(projectId, branchId);
  const named = (await run.neon.branches(projectId, name)).filter((found) => found.name === name);
  return named.find((found) => isMarkOf(markOf(found), state));
}

/**
 * How each step is done.
 *
 * @param made gets the branch that a create makes or takes over
 */
function doers(inputs: BranchInputs, run: Run, made: { branch?: NeonBranch } = {}): Doers<BranchStep> {
  const { projectId, name, schemaOnly, expiresInHours, managedBy } = inputs;
  return {
    "create branch": async ({ parent }) => {
      run.status(`Making branch ${name} from ${parent.name}`);
      made.branch = await run.neon.createBranch(projectId, {
        name,
        parentId: parent.id,
        schemaOnly,
        ...(expiresInHours === undefined ? {} : { expiresAt: hoursFromNow(expiresInHours) }),
        annotation: annotationOf({ managedBy, ownershipId: randomBytes(8).toString("hex") }),
      });
    },
    "take over branch": async ({ branch: found }) => {
      run.log(describeTakeover(found));
      await run.neon.settled(projectId);
      made.branch = found;
    },
    "rename branch": ({ branch: { id } }) => run.neon.updateBranch(projectId, id, { name }),
    "set expiry": ({ branch: { id }, hours }) =>
      run.neon.updateBranch(projectId, id, {
        expiresAt: hours === undefined ? null : hoursFromNow(hours),
      }),
  };
}

/** A time as Neon takes it: with precision up to seconds. */
function hoursFromNow(hours: number): string {
  return new Date(Date.now() + hours * 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
}

/**
 * The outputs as they are now. If somebody has deleted the compute, the recorded one stays: whoever connects says so.
 *
 * @throws UserError if the branch has no read-write compute, and the state knows of none
 */
async function outputsOf(state: BranchState, found: NeonBranch, run: Run): Promise<BranchOutputs> {
  const { projectId, endpointId, host, port } = state;
  const endpoint = (await run.neon.endpoints(projectId, found.id)).find(({ readWrite }) => readWrite);
  const compute =
    endpoint === undefined
      ? { endpointId, host, port }
      : { endpointId: endpoint.id, ...directAddress(endpoint.host) };
  if (!isKnown(compute))
    throw new UserError(
      `There is no read-write compute on branch ${found.name} (${found.id}) of project ${projectId}: add one to the branch in Neon's console, then run this again.`,
    );
  const ownershipId = state.ownershipId ?? markOf(found)?.ownershipId;
  const parentId = state.parentId ?? found.parentId;
  return {
    branchId: found.id,
    ...compute,
    ...(parentId === undefined ? {} : { parentId }),
    ...(found.createdAt === undefined ? {} : { createdAt: found.createdAt }),
    ...(found.expiresAt === undefined ? {} : { expiresAt: found.expiresAt }),
    ...(ownershipId === undefined ? {} : { ownershipId }),
  };
}

type Compute = Pick<BranchOutputs, "endpointId" | "host" | "port">;

function isKnown(compute: Partial<Compute>): compute is Compute {
  return compute.endpointId !== undefined && compute.host !== undefined && compute.port !== undefined;
}
