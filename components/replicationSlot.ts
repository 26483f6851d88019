import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import type { DatabaseArgs } from "./args";
import { NeonBemiResource } from "./binding";

export interface ReplicationSlotArgs extends DatabaseArgs {
  /** Name of the slot, of `[a-z0-9_]`. Default: `bemi`. Another name replaces the resource. */
  name?: Input<string>;
  /** The role whose consumer uses the slot; on destroy only its connections are ever ended. */
  role: Input<string>;
  /** Stops the consumer and drops the slot on destroy. Default: false, which leaves it and says that it holds back WAL. */
  dropOnDestroy?: Input<boolean>;
}

/** Watches the consumer's replication slot. The consumer makes it; this resource never does. */
export class ReplicationSlot extends NeonBemiResource {
  declare readonly name: Output<string>;
  /** `"not created yet"`, `"active"`, `"inactive"` or `"lost"`. */
  declare readonly state: Output<string>;

  constructor(name: string, args: ReplicationSlotArgs, opts?: CustomResourceOptions) {
    super(
      {
        type: "ReplicationSlot",
        computed: ["state", "branchId", "branchName", "branchIsDefault", "endpointId"],
      },
      name,
      { ...args, name: args.name ?? "bemi", dropOnDestroy: args.dropOnDestroy ?? false },
      opts,
    );
  }
}
