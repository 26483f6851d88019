import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import type { DatabaseArgs, SelectionArgs } from "./args";
import { NeonBemiResource } from "./binding";

export interface ReadAccessArgs extends DatabaseArgs, SelectionArgs {
  /** The role that may read. Another role replaces the resource. */
  role: Input<string>;
}

/**
 * Lets a role read the selected tables: USAGE on their schemas, SELECT on the tables there are, and default privileges
 * for the tables to come. Streaming changes does not need it; snapshots and a data browser do.
 */
export class ReadAccess extends NeonBemiResource {
  /** Tables the role can read, of those wanted. */
  declare readonly readable: Output<number>;
  declare readonly wanted: Output<number>;

  constructor(name: string, args: ReadAccessArgs, opts?: CustomResourceOptions) {
    super(
      {
        type: "ReadAccess",
        computed: ["readable", "wanted", "branchId", "branchName", "branchIsDefault", "endpointId"],
      },
      name,
      { ...args },
      opts,
    );
  }
}
