import { hasChildren, type BranchState, type Neon, type ProjectState } from "./state";
import { removal } from "./steps";

/**
 * Deletes the branches whose time is over, as Neon's background job does. Called before each request, so that no client
 * sees such a branch. While operations of the project run, its branches wait for the next request.
 */
export async function removeExpired(neon: Neon): Promise<void> {
  for (const project of neon.projects.values())
    for (const branch of project.branches.values()) {
      if (!isExpired(project, branch) || project.operations.busy) continue;
      project.operations.schedule(removal(neon, project, branch));
      await project.operations.settled();
    }
}

function isExpired(project: ProjectState, branch: BranchState): boolean {
  const { expiresAt, isDefault, protected: isProtected } = branch;
  if (expiresAt === undefined || Date.parse(expiresAt) > Date.now()) return false;
  return !isDefault && !isProtected && !hasChildren(project, branch);
}
