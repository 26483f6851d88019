// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { replicationSlotDefinition } from "../../provider/contract/kinds/replicationSlot";
import { NeonBemiResource } from "../binding";

/** Arguments of {@link ReplicationSlot}. */
export interface ReplicationSlotArgs {
  /** Id of the Neon project, e.g. `cool-darkness-123456`. A change replaces the resource. */
  projectId: Input<string>;
  /**
   * Name of the branch, or its `br-` id. Naming the same branch in another way is no change. A change
   * replaces the resource. Default: the project's default branch.
   */
  branch?: Input<string>;
  /**
   * Name of the database, e.g. `neondb`. It is reached as its owner, over the branch's direct (never pooled)
   * endpoint. A change replaces the resource.
   */
  database: Input<string>;
  /**
   * Name of the replication slot, which the consumer makes: 1 to 63 lower-case letters, digits or
   * underscores. Bemi Cloud expects the default. A change replaces the resource. Default: `"bemi"`.
   */
  name?: Input<string>;
  /** The role whose consumer uses the slot. On destroy only connections of this role are ended. */
  role: Input<string>;
  /**
   * Stops the consumer and drops the slot on destroy, unless the slot existed before this resource. A slot
   * that stays holds back WAL; a line of the destroy says so. Default: `false`.
   */
  dropOnDestroy?: Input<boolean>;
}

/** Watches the consumer's replication slot. The consumer makes the slot; this resource never does. */
export class ReplicationSlot extends NeonBemiResource {
  /**
   * Name of the replication slot, which the consumer makes: 1 to 63 lower-case letters, digits or
   * underscores. Bemi Cloud expects the default.
   */
  declare readonly name: Output<string>;
  /**
   * State of the replication slot. `"lost"`: the server has removed WAL that the consumer still needed, so
   * the slot is of no use any more.
   */
  declare readonly state: Output<"not created yet" | "active" | "inactive" | "lost">;
  /**
   * Whether a slot of this name existed when the resource was created, so that others may need it: it is kept
   * on destroy, also with `dropOnDestroy`.
   */
  declare readonly existedBefore: Output<boolean | undefined>;
  /** Id of the branch, `br-...`. */
  declare readonly branchId: Output<string>;
  /** Name of the branch. */
  declare readonly branchName: Output<string>;
  /** Whether the branch is the project's default branch. */
  declare readonly branchIsDefault: Output<boolean>;
  /** Id of the branch's read-write endpoint, `ep-...`. */
  declare readonly endpointId: Output<string>;
  /**
   * Name of the database; not set where no database is named. It differs from `database` after somebody
   * renamed the database.
   */
  declare readonly databaseName: Output<string | undefined>;
  /**
   * PostgreSQL's oid of the database, by which it is recognised under another name; not set before the
   * database was connected to.
   */
  declare readonly databaseOid: Output<number | undefined>;
  /**
   * Owner role of the database, which the resource acts as; not set where no database is named. With it, a
   * refresh need not look everything up again.
   */
  declare readonly owner: Output<string | undefined>;

  constructor(name: string, args: ReplicationSlotArgs, opts?: CustomResourceOptions) {
    super(replicationSlotDefinition, name, { ...args }, opts);
  }
}
