import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import type { RecordedTarget, Target } from "../../contract/target";
import { unlessGone } from "./gone";

/**
 * Lends `work` a session to the database in the state or, if that database is gone, to another one of the same branch.
 * For roles, which belong to the branch and outlive its databases. Returns `undefined` when the branch is gone, or has
 * no database left.
 *
 * @param work is told whether the session is to the database in the state, whatever that is called now
 */
export async function onBranch<Result>(
  state: Target & Partial<RecordedTarget> & { readonly database: string },
  run: Run,
  work: (session: Session, here: boolean) => Promise<Result>,
): Promise<Result | undefined> {
  const here = await unlessGone(async () => ({
    result: await run.sql(state, (session) => work(session, true), state),
  }));
  if (here !== undefined) return here.result;
  return unlessGone(async () => {
    const { projectId, branch } = state;
    const { branchId } = await run.resolve({ projectId, branch }, state);
    const others = await run.neon.databases(projectId, branchId);
    // The owner of the lost database made the role, and has rights on it, so its other databases come first.
    const other = others.find(({ owner }) => owner === state.owner) ?? others[0];
    if (other === undefined) return undefined;
    // The recorded oid is that of the lost database, not of this one.
    const elsewhere = { ...state, databaseOid: undefined };
    return run.sql({ projectId, branch, database: other.name }, (session) => work(session, false), elsewhere);
  });
}
