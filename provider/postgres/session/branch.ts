import type { Run } from "../../contract/kind";
import type { RecordedTarget, Target } from "../../contract/target";
import { unlessGone } from "./gone";
import type { Session } from "../../contract/session";

/**
 * Lends a session to the database that the state names or, where that is gone, to another one of its branch: roles
 * belong to the branch and outlive any database. `undefined` when the branch is gone as well.
 */
export async function onBranch<Result>(
  state: Target & Partial<RecordedTarget> & { readonly database: string },
  run: Run,
  work: (session: Session) => Promise<Result>,
): Promise<Result | undefined> {
  const here = await unlessGone(async () => ({ result: await run.sql(state, work, state) }));
  if (here !== undefined) return here.result;
  return unlessGone(async () => {
    const { projectId, branch } = state;
    const { branchId } = await run.resolve({ projectId, branch }, state);
    const others = await run.neon.databases(projectId, branchId);
    // Whoever made the role has rights on it.
    const other = others.find(({ owner }) => owner === state.owner) ?? others[0];
    if (other === undefined) return undefined;
    return run.sql({ projectId, branch, database: other.name }, work, state);
  });
}
