import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import type { DatabaseArgs, SelectionArgs } from "./args";
import { NeonBemiResource } from "./binding";

export interface ReadinessArgs extends DatabaseArgs, SelectionArgs {
  role: Input<string>;
  /** Default: `bemi`. */
  publication?: Input<string>;
  /** Default: `bemi`. */
  slot?: Input<string>;
  /** Whether new tables are meant to be tracked at once. Default: true. */
  trackNewTables?: Input<boolean>;
  /** Fingerprints of what is verified: a change of one makes the next `up` verify again. Default: none. */
  after?: Input<Input<string>[]>;
}

/**
 * Verifies that a consumer can stream every change with the row before: settings, role, publication, identities. What
 * blocks fails the `up` with the whole list; what only limits is reported.
 */
export class Readiness extends NeonBemiResource {
  declare readonly ready: Output<boolean>;
  declare readonly walLevel: Output<string>;
  declare readonly serverVersion: Output<string>;
  /** `"14 of 14"`. */
  declare readonly publishedTables: Output<string>;
  /** `"14 of 14"`. */
  declare readonly fullIdentity: Output<string>;
  /** State of the slot: `"not created yet"`, `"active"`, `"inactive"` or `"lost"`. */
  declare readonly slotState: Output<string>;
  /** `"event trigger"`, `"next up"` or `"not tracked"`. */
  declare readonly newTables: Output<string>;
  /** What works with limits, with the reason. */
  declare readonly degraded: Output<string[]>;

  constructor(name: string, args: ReadinessArgs, opts?: CustomResourceOptions) {
    super(
      {
        type: "Readiness",
        computed: [
          "ready",
          "walLevel",
          "serverVersion",
          "publishedTables",
          "fullIdentity",
          "slotState",
          "newTables",
          "degraded",
          "branchId",
          "branchName",
          "branchIsDefault",
          "endpointId",
        ],
      },
      name,
      {
        ...args,
        publication: args.publication ?? "bemi",
        slot: args.slot ?? "bemi",
        trackNewTables: args.trackNewTables ?? true,
        after: args.after ?? [],
      },
      opts,
    );
  }
}
