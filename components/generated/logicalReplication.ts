// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { logicalReplicationDefinition } from "../../provider/contract/kinds/logicalReplication";
import { NeonBemiResource } from "../binding";
import type { OneSelection, IdentityArgs } from "./shared";

/** Arguments of {@link LogicalReplication}. */
export interface LogicalReplicationArgs {
  /** Id of the Neon project, e.g. `cool-darkness-123456`. A change replaces the resource. */
  projectId: Input<string>;
  /**
   * Name of the branch, or its `br-` id. Naming the same branch in another way is no change. Default: the
   * project's default branch.
   */
  branch?: Input<string>;
  /**
   * A database to check before anything is changed: project, branch, endpoint, database and the connection to
   * it. Default: none, and then only the project's setting is checked.
   */
  database?: Input<string>;
  /**
   * `"enable"` turns logical replication on where it is off: that restarts all computes of the project, so
   * every connection drops once, and cannot be undone. `"require"` never changes the setting, and fails where
   * it is off. Default: `"enable"`.
   */
  mode?: Input<"enable" | "require">;
  /**
   * What a whole trail is going to make. Obstacles to it are looked for in `database` before anything is
   * changed. `BemiAuditTrail` fills it in. Default: none.
   */
  preflight?: Input<PreflightArgs>;
  /**
   * The entries that `IpAllow` of the trail adds later. Which of them the list lacks is recorded here, before
   * they are added. `BemiAuditTrail` fills it in. Default: none.
   */
  allowedIps?: Input<Input<string>[]>;
}

/** What a whole trail is going to make, from the arguments of `BemiAuditTrail`. */
export type PreflightArgs = PreflightFields & OneSelection;

/** Arguments, of which some exclude each other: see {@link PreflightArgs}. */
export interface PreflightFields {
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
   * Name of the role, at most 63 bytes. Names that PostgreSQL or Neon reserve are refused. Default: `"bemi"`.
   */
  role?: Input<string>;
  /**
   * `"sql"`: a dedicated role, LOGIN REPLICATION and read-only; needs PostgreSQL 16 or newer. `"api"`: a role
   * made through Neon's API, which can also **write** all tables and bypass row security; for PostgreSQL 14
   * and 15. Default: `"sql"`.
   */
  roleCreatedBy?: Input<"sql" | "api">;
  /**
   * The resource that makes the role, `<project>/<stack>/<name>`: it tells the trail's own role from somebody
   * else's. `BemiAuditTrail` fills it in.
   */
  roleManagedBy: Input<string>;
  /**
   * Name of the publication: 1 to 63 lower-case letters, digits or underscores. Bemi Cloud expects the
   * default. Default: `"bemi"`.
   */
  publication?: Input<string>;
  /** The resource that makes the publication, `<project>/<stack>/<name>`. `BemiAuditTrail` fills it in. */
  publicationManagedBy: Input<string>;
  /**
   * Name of the replication slot, which the consumer makes: 1 to 63 lower-case letters, digits or
   * underscores. Bemi Cloud expects the default. Default: `"bemi"`.
   */
  slot?: Input<string>;
  /** Whether a role and a publication that exist already are taken over. Default: `false`. */
  adopt?: Input<boolean>;
  /**
   * Whether migrations run before the tables are tracked: then tables and schemas that do not exist yet are
   * no obstacle. Default: no migrations run.
   */
  migrations?: Input<boolean>;
}

/**
 * Neon's project setting `enable_logical_replication`, which means `wal_level=logical` on all computes.
 * Destroying this resource changes nothing, because Neon cannot turn the setting off again.
 */
export class LogicalReplication extends NeonBemiResource {
  /**
   * What `SHOW wal_level` said once the computes were back; without a database, what the project's setting
   * stands for.
   */
  declare readonly walLevel: Output<"logical">;
  /** Whether this resource turned logical replication on. */
  declare readonly enabledHere: Output<boolean>;
  /**
   * The entries of `allowedIps` that the IP Allow list lacked when they were first asked for. An `up` that is
   * killed right after it has added them leaves no other trace of who did.
   */
  declare readonly ipAllowLacked: Output<string[]>;
  /** Whether the IP Allow list was empty then, so open to everyone. */
  declare readonly ipAllowWasOpen: Output<boolean>;
  /** Id of the branch, `br-...`. */
  declare readonly branchId: Output<string | undefined>;
  /** Name of the branch. */
  declare readonly branchName: Output<string | undefined>;
  /** Whether the branch is the project's default branch. */
  declare readonly branchIsDefault: Output<boolean | undefined>;
  /** Id of the branch's read-write endpoint, `ep-...`. */
  declare readonly endpointId: Output<string | undefined>;
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

  constructor(name: string, args: LogicalReplicationArgs, opts?: CustomResourceOptions) {
    super(logicalReplicationDefinition, name, { ...args }, opts);
  }
}
