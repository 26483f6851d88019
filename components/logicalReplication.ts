import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import type { BranchArgs, SelectionArgs } from "./args";
import { NeonBemiResource } from "./binding";

export interface LogicalReplicationArgs extends BranchArgs {
  /**
   * A database to check before anything is changed: project, branch, endpoint, database and the connection to it.
   * Default: none; then only the project's setting is looked at.
   */
  database?: Input<string>;
  /**
   * `"enable"` (default) turns logical replication on where it is off: that restarts all computes of the project, so
   * every connection drops once, and cannot be undone. `"require"` never writes, and fails where it is off.
   */
  mode?: Input<"enable" | "require">;
  /** What a whole trail is going to make: its obstacles are looked for, with `database`, before anything is changed. */
  preflight?: Input<PreflightArgs>;
}

/** The plan of a whole trail, as {@link BemiAuditTrail} fills it in from its own arguments. */
export interface PreflightArgs extends SelectionArgs {
  role: Input<string>;
  roleCreatedBy: Input<"sql" | "api">;
  /** Who makes the role, as the ownership mark says it: `<project>/<stack>/<name of the resource>`. */
  roleManagedBy: Input<string>;
  publication: Input<string>;
  /** Who makes the publication, likewise. */
  publicationManagedBy: Input<string>;
  slot: Input<string>;
  adopt: Input<boolean>;
}

/**
 * Neon's project setting `enable_logical_replication`, which means `wal_level=logical` on all computes. Destroying
 * this resource changes nothing: Neon cannot turn the setting off again.
 */
export class LogicalReplication extends NeonBemiResource {
  /** What `SHOW wal_level` said once the computes were back. */
  declare readonly walLevel: Output<string>;
  /** Whether this resource turned it on. */
  declare readonly enabledHere: Output<boolean>;

  constructor(name: string, args: LogicalReplicationArgs, opts?: CustomResourceOptions) {
    super(
      {
        type: "LogicalReplication",
        computed: ["walLevel", "enabledHere", "branchId", "branchName", "branchIsDefault", "endpointId"],
      },
      name,
      { ...args, mode: args.mode ?? "enable" },
      opts,
    );
  }
}
