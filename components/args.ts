import type { Input } from "@pulumi/pulumi";

/** The Neon branch a resource works on. */
export interface BranchArgs {
  /** Id of the Neon project, e.g. `cool-darkness-123456`. Another project replaces the resource. */
  projectId: Input<string>;
  /**
   * Name of the branch, or its `br-` id. Default: the project's default branch. Writing the same branch in another
   * way changes nothing; another branch replaces the resource.
   */
  branch?: Input<string>;
}

/** The database a resource works in, as its owner role, over the branch's direct (never pooled) endpoint. */
export interface DatabaseArgs extends BranchArgs {
  /** Name of the database, e.g. `neondb`. Another database replaces the resource. */
  database: Input<string>;
}

/**
 * Which tables are tracked: exactly one of `schemas`, `tables` and `allTables`.
 *
 * Table names are `schema.table`, literal and case-sensitive; a part that has a dot in it goes in double quotes.
 */
export interface SelectionArgs {
  /** Every table of these schemas. */
  schemas?: Input<Input<string>[]>;
  /** Exactly these tables; a partitioned table brings its partitions. */
  tables?: Input<Input<string>[]>;
  /** Every table of the database. */
  allTables?: Input<true>;
  /** Left out: not published, identity untouched. */
  excludeTables?: Input<Input<string>[]>;
}
