import type { NeonBranch } from "../../contract/neonApi";

/**
 * The ownership mark of a branch: properties of its annotation in Neon, as a branch has no comment. They follow the rule
 * of the marks in a database: the id decides whose a branch is, and the names decide where one side has no id.
 */
export interface BranchMark {
  /** The declaring resource, `<project>/<stack>/<name>`. */
  readonly managedBy: string;
  /** Made with the branch, and kept in the state. Left out: the state of a create that was interrupted. */
  readonly ownershipId?: string;
}

const MADE_BY = "pulumi-neon-bemi";
const ID = "pulumi-neon-bemi-id";

/** The annotation to make a branch with. */
export function annotationOf({
  managedBy,
  ownershipId,
}: Required<BranchMark>): Readonly<Record<string, string>> {
  return { [MADE_BY]: managedBy, [ID]: ownershipId };
}

/** The mark of a branch; `undefined` where this module did not make it. */
export function markOf({ annotation }: Pick<NeonBranch, "annotation">): BranchMark | undefined {
  const { [MADE_BY]: managedBy, [ID]: ownershipId } = annotation;
  return managedBy === undefined
    ? undefined
    : { managedBy, ...(ownershipId === undefined ? {} : { ownershipId }) };
}

/** Whether the mark on a branch is that of the resource. */
export function isMarkOf(found: BranchMark | undefined, { managedBy, ownershipId }: BranchMark): boolean {
  if (found === undefined) return false;
  if (found.ownershipId === undefined || ownershipId === undefined) return found.managedBy === managedBy;
  return found.ownershipId === ownershipId;
}
