// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { publicationDefinition } from "../../provider/contract/kinds/publication";
import { NeonBemiResource } from "../binding";
import type { OneSelection, IdentityArgs } from "./shared";

/** Arguments of {@link Publication}. */
export type PublicationArgs = PublicationFields & OneSelection;

/** Arguments, of which some exclude each other: see {@link PublicationArgs}. */
export interface PublicationFields {
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
   * Name of the publication: 1 to 63 lower-case letters, digits or underscores. Bemi Cloud expects the
   * default. A change replaces the resource. Default: `"bemi"`.
   */
  name?: Input<string>;
  /** Every table of these schemas. Excludes `tables` and `allTables`. Default: none. */
  schemas?: Input<Input<string>[]>;
  /**
   * Exactly these tables, as `schema.table`, literal and case-sensitive; a part that contains a dot goes in
   * double quotes. A partitioned table brings its partitions, and any table those that inherit from it.
   * Excludes `schemas` and `allTables`. Default: none.
   */
  tables?: Input<Input<string>[]>;
  /** Every table of the database. Excludes `schemas` and `tables`. Default: none. */
  allTables?: Input<true>;
  /**
   * Tables to leave out, written as in `tables`: they are not published and their replica identity stays as
   * it is. Exclusion goes by name: a copy under another name is tracked. Default: none.
   */
  excludeTables?: Input<Input<string>[]>;
  /**
   * Which replica identity the tracked tables get. A table with `"primaryKey"` needs a primary key that is
   * not deferrable, or an index that it uses as replica identity already. Otherwise its UPDATEs and DELETEs
   * would fail, so the preview refuses it. Default: every tracked table gets `"full"`.
   */
  identity?: Input<IdentityArgs>;
  /**
   * Tracks new tables from their first row, by an event trigger, where the server allows one. Otherwise, and
   * with `false`, the next `up` takes them in. Default: `true`.
   */
  trackNewTables?: Input<boolean>;
  /**
   * Takes over a publication of this name that exists already, and leaves it in place on destroy. Default:
   * `false`.
   */
  adopt?: Input<boolean>;
  /**
   * Stands for the migrations that run before this resource. After a change, `up` reads the catalog again
   * when they have run, and a preview accepts tables and schemas that do not exist yet. `BemiAuditTrail`
   * gives it. Default: no migrations run before it.
   */
  migrations?: Input<Input<string>[]>;
}

/**
 * The publication of the selected tables. UPDATE and DELETE fail on a published table without a replica
 * identity, so only tables that have one are ever in the publication. Declare it after a `ReplicaIdentity`
 * (`dependsOn`) of the same selection and `identity`.
 */
export class Publication extends NeonBemiResource {
  /**
   * Name of the publication: 1 to 63 lower-case letters, digits or underscores. Bemi Cloud expects the
   * default.
   */
  declare readonly name: Output<string>;
  /** Number of selected tables. */
  declare readonly wanted: Output<number>;
  /** How many of the selected tables are as they should be. */
  declare readonly done: Output<number>;
  /**
   * Changes whenever a selected table comes to be, or is no longer, as it should be. Tables that are tracked
   * as soon as they are created do not change it.
   */
  declare readonly fingerprint: Output<string>;
  /** The first few tables that are not as they should be, at most ten, each with the reason. */
  declare readonly pending: Output<string[]>;
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
  /** Whether this resource made the publication; an adopted one survives a destroy. */
  declare readonly created: Output<boolean>;
  /**
   * Id in the ownership mark on the object. It tells the resource's own object, whatever stack, project or
   * component are called; not set before the resource has written its mark, as after an import.
   */
  declare readonly ownershipId: Output<string | undefined>;

  constructor(name: string, args: PublicationArgs, opts?: CustomResourceOptions) {
    super(publicationDefinition, name, { ...args }, opts);
  }
}
