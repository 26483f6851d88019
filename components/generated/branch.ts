// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { branchDefinition } from "../../provider/contract/kinds/branch";
import { NeonBemiResource } from "../binding";

/** Arguments of {@link Branch}. */
export interface BranchArgs {
  /** Id of the Neon project, e.g. `cool-darkness-123456`. A change replaces the resource. */
  projectId: Input<string>;
  /**
   * Name of the new branch, e.g. `pr-7`. No other branch of the project may have it. A change replaces the
   * resource.
   */
  name: Input<string>;
  /**
   * Name of the branch to copy, or its `br-` id. A change replaces the resource. Default: the project's
   * default branch.
   */
  parent?: Input<string>;
  /**
   * Copies the schema without the rows. To Neon, such a branch is a root branch, of which a project may have
   * a few only. A change replaces the resource. Default: `false`.
   */
  schemaOnly?: Input<boolean>;
  /**
   * Hours after which Neon deletes the branch, counted from its creation, 1 to 720; a change counts from the
   * `up` that makes it. The next `up` makes a branch again that has expired. Default: the branch does not
   * expire.
   */
  expiresInHours?: Input<number>;
}

/**
 * A Neon branch made for the stack, with a read-write compute: for tests and pull requests. Give it to
 * `BemiAuditTrail` as `branch`. It is never protected.
 *
 * A destroy deletes the branch with everything on it, if this resource made it, and if it is neither the
 * default branch nor protected nor the parent of others. Branches that this resource did not make are never
 * deleted.
 */
export class Branch extends NeonBemiResource {
  /** Name of the new branch, e.g. `pr-7`. No other branch of the project may have it. */
  declare readonly name: Output<string>;
  /** Id of the branch, `br-...`. Give it to other resources as `branch`. */
  declare readonly branchId: Output<string>;
  /** Id of the branch's read-write endpoint, `ep-...`. */
  declare readonly endpointId: Output<string>;
  /** Direct (never `-pooler`) host of the branch's read-write endpoint. */
  declare readonly host: Output<string>;
  /** Port of that host. */
  declare readonly port: Output<number>;
  /**
   * Id of the branch that was copied; not set for a branch with the schema only whose creation was
   * interrupted.
   */
  declare readonly parentId: Output<string | undefined>;
  /** When Neon made the branch, by Neon's clock; not set where Neon does not say. */
  declare readonly createdAt: Output<string | undefined>;
  /** When Neon deletes the branch; not set for a branch that does not expire. */
  declare readonly expiresAt: Output<string | undefined>;
  /**
   * Id in the ownership mark on the object. It tells the resource's own object, whatever stack, project or
   * component are called; not set before the resource has written its mark, as after an import.
   */
  declare readonly ownershipId: Output<string | undefined>;

  constructor(name: string, args: BranchArgs, opts?: CustomResourceOptions) {
    super(branchDefinition, name, { ...args }, opts);
  }
}
