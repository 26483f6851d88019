import type { Input } from "@pulumi/pulumi";
import { Branch } from "./generated/branch";
import type { BemiAuditTrailArgs } from "./generated/trailTypes";

/** Arguments of the component in which a branch is a name or an id. */
export type PlacedArgs = BemiAuditTrailArgs & { readonly branch?: Input<string> };

/** Where a trail is. */
export interface Place {
  readonly args: PlacedArgs;
  /** Whether the program makes the branch: nobody else uses what came along with the copy. */
  readonly ownBranch: boolean;
}

/**
 * The arguments with the id of a branch that the program makes. The id and not the name: a replaced branch has the same
 * name, and the trail has to move along. On such a branch, the trail takes over what came along with the copy.
 */
export function placeOf(args: BemiAuditTrailArgs): Place {
  const { branch } = { ...args };
  if (!(branch instanceof Branch)) return { args: args as PlacedArgs, ownBranch: false };
  return { args: { ...args, branch: branch.branchId, adopt: args.adopt ?? true }, ownBranch: true };
}
