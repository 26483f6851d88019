import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import type { DatabaseArgs, SelectionArgs } from "./args";
import { managedBy, NeonBemiResource } from "./binding";
import { COVERAGE_OUTPUTS, type Coverage } from "./coverage";

export interface ReplicaIdentityArgs extends DatabaseArgs, SelectionArgs {
  /** The publication that these identities serve. Default: `bemi`. Another one replaces the resource. */
  publication?: Input<string>;
  /** Sets the identity of new tables at once, by an event trigger where the server allows one. Default: true. */
  trackNewTables?: Input<boolean>;
}

/**
 * Sets REPLICA IDENTITY FULL on the selected tables and their partitions, so that every change carries the whole row
 * as it was before. What each table had before is recorded in the database, in the schema `_<publication>`, and put
 * back on destroy or when the table leaves the selection.
 */
export class ReplicaIdentity extends NeonBemiResource implements Coverage {
  declare readonly wanted: Output<number>;
  declare readonly done: Output<number>;
  declare readonly fingerprint: Output<string>;
  declare readonly pending: Output<string[]>;
  /** How new tables get their identity: `"event trigger"`, `"next up"` or `"not tracked"`. */
  declare readonly newTables: Output<string>;

  constructor(name: string, args: ReplicaIdentityArgs, opts?: CustomResourceOptions) {
    super(
      { type: "ReplicaIdentity", computed: [...COVERAGE_OUTPUTS, "newTables"] },
      name,
      {
        ...args,
        publication: args.publication ?? "bemi",
        trackNewTables: args.trackNewTables ?? true,
        managedBy: managedBy(name),
      },
      opts,
    );
  }
}
