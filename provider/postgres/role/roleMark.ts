import type { ResolvedTarget } from "../../contract/target";
import type { Mark } from "../ownership/mark";

/**
 * The mark of a role. It names the database of the inputs, not that of the session: a role belongs to the branch and
 * outlives its database. When that database is gone, the role is read and dropped from another one, and its mark must
 * still be recognised. Objects inside a database have a rule of their own, `databaseObjectMark`.
 */
export function roleMark(
  { projectId, branchId }: Pick<ResolvedTarget, "projectId" | "branchId">,
  {
    managedBy,
    database,
    ownershipId: id,
  }: { readonly managedBy: string; readonly database: string; readonly ownershipId?: string },
): Mark {
  return { projectId, branchId, database, managedBy, ...(id === undefined ? {} : { id }) };
}
