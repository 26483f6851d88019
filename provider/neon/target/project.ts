import { isGone, UserError } from "../../contract/errors";
import type { NeonProject } from "../../contract/neonApi";

/**
 * The project as `read` asks Neon for it. Neon answers 404 for a project that does not exist and for one that the API key
 * may not see, so a 404 is never taken for a deleted project: a wrong key must not empty a stack's state.
 *
 * @throws UserError when Neon shows no such project, or does not answer
 */
export async function visibleProject(
  projectId: string,
  read: (projectId: string) => Promise<NeonProject>,
): Promise<NeonProject> {
  try {
    return await read(projectId);
  } catch (error) {
    if (!isGone(error)) throw error;
    throw new UserError(
      `This API key sees no Neon project "${projectId}", so nothing is changed and the stack's state stays as it is. Check projectId, and use a key that may see the project. If the project was deleted, remove its resources from the state: pulumi state delete.`,
    );
  }
}
