// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { readinessDefinition } from "../../provider/contract/kinds/readiness";
import { NeonBemiResource } from "../binding";
import type { OneSelection, IdentityArgs } from "./shared";

/** Arguments of {@link Readiness}. */
export type ReadinessArgs = ReadinessFields & OneSelection;

/** Arguments, of which some exclude each other: see {@link ReadinessArgs}. */
export interface ReadinessFields {
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
  /** The role whose rights and attributes are verified. */
  role: Input<string>;
  /**
   * Name of the publication: 1 to 63 lower-case letters, digits or underscores. Bemi Cloud expects the
   * default. Default: `"bemi"`.
   */
  publication?: Input<string>;
  /**
   * Name of the replication slot, which the consumer makes: 1 to 63 lower-case letters, digits or
   * underscores. Bemi Cloud expects the default. Default: `"bemi"`.
   */
  slot?: Input<string>;
  /**
   * Tracks new tables from their first row, by an event trigger, where the server allows one. Otherwise, and
   * with `false`, the next `up` takes them in. Default: `true`.
   */
  trackNewTables?: Input<boolean>;
  /**
   * Fingerprints of the resources to verify: a change of one makes the next `up` verify again. Default: none.
   */
  after?: Input<Input<string>[]>;
  /**
   * Stands for the migrations that run before this resource. After a change, `up` reads the catalog again
   * when they have run, and a preview accepts tables and schemas that do not exist yet. `BemiAuditTrail`
   * gives it. Default: no migrations run before it.
   */
  migrations?: Input<Input<string>[]>;
}

/**
 * Verifies that a consumer can stream every change with the row before it: settings, role, publication,
 * identities. What blocks fails the `up` with the whole list; what only limits is reported in `degraded`.
 */
export class Readiness extends NeonBemiResource {
  /** Whether every change can be streamed with the row before it. */
  declare readonly ready: Output<boolean>;
  /** `wal_level` of the server. */
  declare readonly walLevel: Output<string>;
  /** Version of PostgreSQL, e.g. `17.5`. */
  declare readonly serverVersion: Output<string>;
  /** Number of selected tables. */
  declare readonly selected: Output<number>;
  /** How many of the selected tables are published. */
  declare readonly published: Output<number>;
  /** How many of the selected tables have the replica identity FULL. */
  declare readonly full: Output<number>;
  /**
   * How many of the selected tables keep the identity that names a row by its key: because of `identity`, or
   * because FULL is ruled out.
   */
  declare readonly keyIdentity: Output<number>;
  /**
   * State of the replication slot. `"lost"`: the server has removed WAL that the consumer still needed, so
   * the slot is of no use any more.
   */
  declare readonly slotState: Output<"not created yet" | "active" | "inactive" | "lost">;
  /** How new tables are taken in: at once by an event trigger, by the next `up`, or not at all. */
  declare readonly newTables: Output<"event trigger" | "next up" | "not tracked">;
  /** What works with limits, by table or object, with the reason; at most twenty. */
  declare readonly degraded: Output<string[]>;
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

  constructor(name: string, args: ReadinessArgs, opts?: CustomResourceOptions) {
    super(readinessDefinition, name, { ...args }, opts);
  }
}
