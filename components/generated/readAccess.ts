// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { readAccessDefinition } from "../../provider/contract/kinds/readAccess";
import { NeonBemiResource } from "../binding";
import type { OneSelection } from "./shared";

/** Arguments of {@link ReadAccess}. */
export type ReadAccessArgs = ReadAccessFields & OneSelection;

/** Arguments, of which some exclude each other: see {@link ReadAccessArgs}. */
export interface ReadAccessFields {
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
  /** The role that may read. A change replaces the resource. */
  role: Input<string>;
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
   * Stands for the migrations that run before this resource. After a change, `up` reads the catalog again
   * when they have run, and a preview accepts tables and schemas that do not exist yet. `BemiAuditTrail`
   * gives it. Default: no migrations run before it.
   */
  migrations?: Input<Input<string>[]>;
}

/**
 * Lets a role read the selected tables: USAGE on their schemas, SELECT on the tables that exist, and default
 * privileges for tables that are made later. Streaming changes does not need it; snapshots and a data browser
 * do. Only what this resource granted is revoked on destroy.
 */
export class ReadAccess extends NeonBemiResource {
  /** How many of the selected tables the role can read. */
  declare readonly readable: Output<number>;
  /** Number of selected tables. */
  declare readonly wanted: Output<number>;
  /**
   * Oid of the role, if this module made it, so that whatever it holds was granted here. After a change of
   * the database's owner only this tells.
   */
  declare readonly roleOid: Output<number | undefined>;
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

  constructor(name: string, args: ReadAccessArgs, opts?: CustomResourceOptions) {
    super(readAccessDefinition, name, { ...args }, opts);
  }
}
