import { UserError } from "../../contract/errors";
import type { BranchInputs, BranchOutputs } from "../../contract/kinds/branch";
import type { NeonBranch } from "../../contract/neonApi";
import { firstFew } from "../../contract/wording";
import { isMarkOf, markOf } from "./mark";

/** The state of a branch's resource. After a create that was interrupted it lacks outputs. */
export type BranchState = BranchInputs & Partial<BranchOutputs>;

/** What is done with a branch. */
export type BranchStep =
  | { readonly step: "create branch"; readonly parent: NeonBranch }
  /** A branch with this resource's mark, which is in no state. Operations on it may still run. */
  | { readonly step: "take over branch"; readonly branch: NeonBranch }
  | { readonly step: "rename branch"; readonly branch: NeonBranch; readonly name: string }
  /** @property hours - from now on; `undefined`: the branch does not expire any more */
  | { readonly step: "set expiry"; readonly branch: NeonBranch; readonly hours: number | undefined };

/** What Neon says of the project. */
export interface ProjectFacts {
  readonly branches: readonly NeonBranch[];
  /** How many branches the project may have; left out where Neon does not say. */
  readonly branchesLimit?: number;
}

/**
 * The branch to copy.
 *
 * @throws UserError if there is no such branch, or more than one
 */
export function parentOf({ projectId, parent }: BranchInputs, branches: readonly NeonBranch[]): NeonBranch {
  const found = branches.filter(({ id, name, isDefault }) =>
    parent === undefined ? isDefault : id === parent || name === parent,
  );
  const [first, ...more] = found;
  if (first === undefined) {
    const names = firstFew(branches.map(({ name }) => name));
    throw new UserError(
      parent === undefined
        ? `Project ${projectId} has no default branch: name the branch to copy with parent.`
        : `Project ${projectId} has no branch "${parent}" to copy. Its branches: ${names}. Correct parent.`,
    );
  }
  if (more.length > 0)
    throw new UserError(
      `Project ${projectId} has several branches "${parent ?? first.name}" (${found.map(({ id }) => id).join(", ")}): give parent as an id.`,
    );
  return first;
}

/**
 * Makes the branch. One of the same name with this resource's mark is what an interrupted up has left.
 *
 * @param replaces id of the branch whose place this one takes, and that is deleted before
 * @throws UserError if the name is taken, the parent is missing, or the project may have no more branches
 */
export function planCreate(
  inputs: BranchInputs,
  { branches, branchesLimit }: ProjectFacts,
  replaces?: string,
): BranchStep[] {
  const { projectId, name } = inputs;
  const others = branches.filter(({ id }) => id !== replaces);
  const parent = parentOf(inputs, others);
  const existing = others.find((branch) => branch.name === name);
  if (existing !== undefined) {
    if (!isMarkOf(markOf(existing), { managedBy: inputs.managedBy })) throw existsAlready(inputs, existing);
    return [{ step: "take over branch", branch: existing }];
  }
  if (branchesLimit !== undefined && others.length >= branchesLimit)
    throw new UserError(
      `Branch ${name} cannot be made: project ${projectId} has ${others.length} branches, and may have ${branchesLimit}. Delete a branch that nobody needs, or raise the limit in Neon's console.`,
    );
  return [{ step: "create branch", parent }];
}

function existsAlready({ projectId, name }: BranchInputs, existing: NeonBranch): UserError {
  const maker = markOf(existing)?.managedBy;
  const made = maker === undefined ? "was not made by this resource" : `was made by ${maker}`;
  return new UserError(
    `Branch ${name} (${existing.id}) of project ${projectId} exists already, and ${made}. It is not taken over, because a destroy would delete it. Choose another name, delete that branch, or use it without this resource: branch: "${name}".`,
  );
}

/** Gives a branch its name and its expiry again. */
export function planUpdate(state: BranchState, inputs: BranchInputs, branch: NeonBranch): BranchStep[] {
  const { name, expiresInHours: hours } = inputs;
  return [
    ...(branch.name === name ? [] : [{ step: "rename branch", branch, name } as const]),
    ...(state.expiresInHours === hours ? [] : [{ step: "set expiry", branch, hours } as const]),
  ];
}

/**
 * Why a destroy must not delete the branch; `undefined`: it may.
 *
 * @param branches all branches of the project
 */
export function obstacleToDelete(
  state: BranchState,
  branch: NeonBranch,
  branches: readonly NeonBranch[],
): string | undefined {
  const what = `Branch ${branch.name} (${branch.id}) of project ${state.projectId} is not deleted`;
  if (!isMadeHere(state, branch))
    return `${what}: it does not carry this resource's mark, so it may be somebody else's. Delete it in Neon's console if nobody needs it, then remove the resource from the state: pulumi state delete.`;
  if (branch.isDefault)
    return `${what}: it is the project's default branch now. Make another branch the default one, or remove the resource from the state: pulumi state delete.`;
  if (branch.isProtected)
    return `${what}: somebody has protected it. Remove the protection in Neon's console and run this again, or remove the resource from the state: pulumi state delete.`;
  const children = branches.filter(({ parentId }) => parentId === branch.id).map(({ name }) => name);
  if (children.length > 0)
    return `${what}: other branches were made from it (${firstFew(children)}). Delete these first, then run this again.`;
  return undefined;
}

/**
 * Whether this resource made the branch: by the mark. If neither the branch's name nor the names in the mark are those of
 * the state, the id alone is no proof: the state may have been edited. A branch without any mark counts by the time at
 * which Neon made it, in case that Neon does not keep annotations.
 */
function isMadeHere(state: BranchState, branch: NeonBranch): boolean {
  const mark = markOf(branch);
  if (mark !== undefined) {
    const named = branch.name === state.name || mark.managedBy === state.managedBy;
    return named && isMarkOf(mark, state);
  }
  return (
    branch.id === state.branchId && branch.createdAt !== undefined && branch.createdAt === state.createdAt
  );
}

/** What the steps do, for a preview. */
export function describeSteps(inputs: BranchInputs, steps: readonly BranchStep[]): string[] {
  return steps.flatMap((step) => {
    switch (step.step) {
      case "create branch":
        return [describeCreate(inputs, step.parent)];
      case "take over branch":
        return [describeTakeover(step.branch)];
      case "rename branch":
        return [`Branch ${step.branch.name} gets back its name ${step.name}.`];
      case "set expiry":
        return [
          step.hours === undefined
            ? `Branch ${inputs.name} does not expire any more.`
            : `Neon deletes branch ${inputs.name} ${step.hours} hours from now.`,
        ];
    }
  });
}

function describeCreate({ projectId, name, schemaOnly, expiresInHours }: BranchInputs, parent: NeonBranch) {
  const content = schemaOnly ? "with the schema only, without rows" : "with all data";
  const end =
    expiresInHours === undefined ? "destroy deletes it" : `Neon deletes it after ${expiresInHours} h`;
  return `Branch ${name} of project ${projectId} is made from ${parent.name} (${parent.id}), ${content}, and with a read-write compute; ${end}.`;
}

/** That a branch is taken over which is in no state. */
export function describeTakeover({ name }: NeonBranch): string {
  return `Branch ${name} exists with this resource's mark and is taken over: an up that was interrupted left it, or a stack of the same name in another backend made it.`;
}
