import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import type { DatabaseArgs, SelectionArgs } from "./args";
import { managedBy, NeonBemiResource } from "./binding";
import { COVERAGE_OUTPUTS, type Coverage } from "./coverage";

export interface PublicationArgs extends DatabaseArgs, SelectionArgs {
  /** Name of the publication, of `[a-z0-9_]`. Default: `bemi`, which Bemi expects. Another name replaces the resource. */
  name?: Input<string>;
  /** Publishes new tables at once, by an event trigger where the server allows one. Default: true. */
  trackNewTables?: Input<boolean>;
  /** Takes over a publication of this name that exists already, and leaves it in place on destroy. Default: false. */
  adopt?: Input<boolean>;
}

/**
 * The publication of the selected tables. Only tables whose replica identity lets them be updated and deleted from
 * are ever in it, so declare it after a {@link ReplicaIdentity} (`dependsOn`) of the same selection.
 */
export class Publication extends NeonBemiResource implements Coverage {
  declare readonly name: Output<string>;
  declare readonly wanted: Output<number>;
  declare readonly done: Output<number>;
  declare readonly fingerprint: Output<string>;
  declare readonly pending: Output<string[]>;
  /** The form it has in the catalog: `"all tables"` or `"table list"`. */
  declare readonly form: Output<string>;
  declare readonly created: Output<boolean>;

  constructor(name: string, args: PublicationArgs, opts?: CustomResourceOptions) {
    super(
      { type: "Publication", computed: [...COVERAGE_OUTPUTS, "form", "created"] },
      name,
      {
        ...args,
        name: args.name ?? "bemi",
        trackNewTables: args.trackNewTables ?? true,
        adopt: args.adopt ?? false,
        managedBy: managedBy(name),
      },
      opts,
    );
  }
}
