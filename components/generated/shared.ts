// Written by `npm run generate` from provider/contract. Edit the contract.

import type { Input } from "@pulumi/pulumi";

/** The Neon branch a resource works on. */
export interface BranchTargetArgs {
  /** Id of the Neon project, e.g. `cool-darkness-123456`. */
  projectId: Input<string>;
  /**
   * Name of the branch, or its `br-` id. Naming the same branch in another way is no change. Default: the
   * project's default branch.
   */
  branch?: Input<string>;
}

/** The database a resource works in. */
export interface DatabaseArgs {
  /** Id of the Neon project, e.g. `cool-darkness-123456`. */
  projectId: Input<string>;
  /**
   * Name of the branch, or its `br-` id. Naming the same branch in another way is no change. Default: the
   * project's default branch.
   */
  branch?: Input<string>;
  /**
   * Name of the database, e.g. `neondb`. It is reached as its owner, over the branch's direct (never pooled)
   * endpoint.
   */
  database: Input<string>;
}

/** Which tables are tracked: exactly one of `schemas`, `tables` and `allTables`. */
export type SelectionArgs = SelectionFields & OneSelection;

/** Arguments, of which some exclude each other: see {@link SelectionArgs}. */
export interface SelectionFields {
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
}

/**
 * Which replica identity the tracked tables get. A table with `"primaryKey"` needs a primary key that is not
 * deferrable, or an index that it uses as replica identity already. Otherwise its UPDATEs and DELETEs would
 * fail, so the preview refuses it.
 */
export interface IdentityArgs {
  /**
   * `"full"` sets REPLICA IDENTITY FULL: every change carries the whole row as it was before. `"primaryKey"`
   * leaves the identity of a table alone: its changes carry only the key of the row before, without the cost
   * of FULL. Default: `"full"`.
   */
  default?: Input<"full" | "primaryKey">;
  /**
   * The choice for single tables, written as in the argument `tables`, e.g. `public.documents`. The name of a
   * partitioned table stands for its partitions; one that a partition has itself comes first. Default: none:
   * `default` is for all of them.
   */
  tables?: Input<Record<string, Input<"full" | "primaryKey">>>;
}

/** Exactly one of the arguments that exclude each other. */
export type OneSelection =
  | { schemas: Input<Input<string>[]>; tables?: undefined; allTables?: undefined }
  | { tables: Input<Input<string>[]>; schemas?: undefined; allTables?: undefined }
  | { allTables: Input<true>; schemas?: undefined; tables?: undefined };

/** At most one of the arguments that exclude each other. */
export type AtMostOneSelection =
  | { schemas?: Input<Input<string>[]>; tables?: undefined; allTables?: undefined }
  | { tables: Input<Input<string>[]>; schemas?: undefined; allTables?: undefined }
  | { allTables: Input<true>; schemas?: undefined; tables?: undefined };
