// Written by `npm run generate` from provider/contract. Edit the contract.

import type { Input } from "@pulumi/pulumi";
import type { Branch } from "./branch";
import type { AtMostOneSelection, IdentityArgs } from "./shared";

/** Arguments of {@link BemiAuditTrail}. */
export type BemiAuditTrailArgs = BemiAuditTrailFields & AtMostOneSelection;

/** Arguments, of which some exclude each other: see {@link BemiAuditTrailArgs}. */
export interface BemiAuditTrailFields {
  /**
   * Id of the Neon project, e.g. `cool-darkness-123456`. A change replaces `Branch`, `LogicalReplication`,
   * `ReplicationRole`, `ApiRole`, `ReadAccess`, `ReplicaIdentity`, `Publication`, `ReplicationSlot`,
   * `Readiness` and `IpAllow`.
   */
  projectId: Input<string>;
  /**
   * Name of the branch, or its `br-` id. Naming the same branch in another way is no change. In TypeScript
   * also a `Branch` of the program: then a role and a publication that came along with the copy are taken
   * over without `adopt`, and the role gets a new password on that branch. In other languages, give its
   * `branchId`, and set `adopt`. A change replaces `ReplicationRole`, `ApiRole`, `ReadAccess`,
   * `ReplicaIdentity`, `Publication`, `ReplicationSlot` and `Readiness`. Default: the project's default
   * branch.
   */
  branch?: Input<string> | Branch;
  /**
   * Name of the database, e.g. `neondb`. It is reached as its owner, over the branch's direct (never pooled)
   * endpoint. A change replaces `ReadAccess`, `ReplicaIdentity`, `Publication`, `ReplicationSlot` and
   * `Readiness`.
   */
  database: Input<string>;
  /**
   * Bemi's own field for what a database is used for. Handed over in `connection`; it changes nothing in the
   * database. Default: `"Production"`.
   */
  environment?: Input<BemiEnvironment>;
  /**
   * Every table of these schemas. Excludes `tables` and `allTables`. Default: `["public"]`, unless `tables`
   * or `allTables` is given.
   */
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
   * Tracks new tables from their first row, by an event trigger, where the server allows one. Otherwise, and
   * with `false`, the next `up` takes them in. Default: `true`.
   */
  trackNewTables?: Input<boolean>;
  /**
   * Which replica identity the tracked tables get. A table with `"primaryKey"` needs a primary key that is
   * not deferrable, or an index that it uses as replica identity already. Otherwise its UPDATEs and DELETEs
   * would fail, so the preview refuses it. Default: every tracked table gets `"full"`.
   */
  identity?: Input<IdentityArgs>;
  /** The role that Bemi connects with, and how it is made. Default: the defaults of its fields. */
  role?: BemiRoleArgs;
  /**
   * Grants the role SELECT on the selected tables. Streaming does not need it. Default: `true` with
   * `createdBy: "sql"`, `false` with `createdBy: "api"`.
   */
  readAccess?: boolean;
  /**
   * Name of the publication: 1 to 63 lower-case letters, digits or underscores. Bemi Cloud expects the
   * default. A change replaces `ReplicaIdentity` and `Publication`. Default: `"bemi"`.
   */
  publication?: Input<string>;
  /**
   * Name of the replication slot, which the consumer makes: 1 to 63 lower-case letters, digits or
   * underscores. Bemi Cloud expects the default. A change replaces `ReplicationSlot`. Default: `"bemi"`.
   */
  slot?: Input<string>;
  /**
   * Bemi's static addresses (ask hi@bemi.io), each as IPv4 or IPv6 address, CIDR block, or range
   * `first-last`. Default: Neon's IP Allow list is left alone.
   */
  allowedIps?: Input<Input<string>[]>;
  /**
   * Permits adding to an empty IP Allow list. An empty list admits everyone; with these addresses in it
   * **only** they can connect, so your application and the machine that runs Pulumi are locked out unless
   * they are among them. Default: `false`.
   */
  restrictOpenProject?: Input<boolean>;
  /**
   * Permits removing the last entry of the IP Allow list, which opens the project to every address. Default:
   * `false`.
   */
  openRestrictedProject?: Input<boolean>;
  /**
   * `"enable"` turns logical replication on where it is off: that restarts all computes of the project, so
   * every connection drops once, and cannot be undone. `"require"` never changes the setting, and fails where
   * it is off. Default: `"enable"`.
   */
  logicalReplication?: Input<"enable" | "require">;
  /**
   * Runs a command that creates or changes tables, after logical replication is on and before anything is
   * tracked. It needs `NEON_API_KEY` in the environment, and Pulumi's plugin `command`. Default: no command
   * runs.
   */
  migrations?: BemiMigrationsArgs;
  /**
   * Takes over a role and a publication of these names that exist already, and leaves them in place on
   * destroy. Default: `false`; `true` where `branch` is a `Branch` of the program.
   */
  adopt?: Input<boolean>;
  /**
   * Stops the consumer and drops the slot on destroy, unless the slot existed before this resource. A slot
   * that stays holds back WAL; a line of the destroy says so. Default: `false`.
   */
  dropSlotOnDestroy?: Input<boolean>;
}

/**
 * Bemi's own field for what a database is used for. Handed over in `connection`; it changes nothing in the
 * database.
 */
export type BemiEnvironment = "Production" | "Staging" | "Test";

/** The role that Bemi connects with. */
export interface BemiRoleArgs {
  /**
   * Name of the role, at most 63 bytes. Names that PostgreSQL or Neon reserve are refused. A change replaces
   * `ReplicationRole` and `ApiRole`. Default: `"bemi"`.
   */
  name?: Input<string>;
  /**
   * `"sql"`: a dedicated role, LOGIN REPLICATION and read-only; needs PostgreSQL 16 or newer. `"api"`: a role
   * made through Neon's API, which can also **write** all tables and bypass row security; for PostgreSQL 14
   * and 15. Default: `"sql"`.
   */
  createdBy?: "sql" | "api";
  /**
   * Any change of this number sets a new password, which ends the role's connections. The consumer must then
   * be given the new password. Default: the password stays as it is.
   */
  passwordVersion?: Input<number>;
}

/** Migrations that run before the tables are tracked. */
export interface BemiMigrationsArgs {
  /**
   * A line for the system's shell, e.g. `npx prisma migrate deploy`. It runs in the folder of the Pulumi
   * project, with `DATABASE_URL` of the database's owner in its environment.
   */
  command: Input<string>;
  /**
   * The command runs again when one of these values changes: for example a hash of the folder with the
   * migrations. Default: none: the command runs once, and again when it changes itself.
   */
  triggers?: Input<Input<unknown>[]>;
}

/** Secret. The fields of Bemi's dialog "Connect PostgreSQL Database", and the same as a URI. */
export interface BemiConnection {
  /** Direct (never `-pooler`) host of the branch's read-write endpoint. */
  readonly host: string;
  /** Port of that host. */
  readonly port: number;
  /** Name of the database. */
  readonly database: string;
  /** Name of the role. */
  readonly username: string;
  /** Secret. Password of the role. */
  readonly password: string;
  /**
   * Bemi's own field for what a database is used for. Handed over in `connection`; it changes nothing in the
   * database.
   */
  readonly environment: BemiEnvironment;
  /** All of it but the environment as one `postgresql://` URI. */
  readonly uri: string;
}

/** What of `connection` is no secret. */
export interface BemiEndpoint {
  /** Direct (never `-pooler`) host of the branch's read-write endpoint. */
  readonly host: string;
  /** Port of that host. */
  readonly port: number;
  /** Name of the database. */
  readonly database: string;
  /** Name of the role. */
  readonly username: string;
}

/** What `Readiness` verified. */
export interface BemiStatus {
  /** Whether every change can be streamed with the row before it. */
  readonly ready: boolean;
  /** `wal_level` of the server. */
  readonly walLevel: string;
  /** Version of PostgreSQL, e.g. `17.5`. */
  readonly serverVersion: string;
  /** Number of selected tables. */
  readonly selected: number;
  /** How many of the selected tables are published. */
  readonly published: number;
  /** How many of the selected tables have the replica identity FULL. */
  readonly full: number;
  /**
   * How many of the selected tables keep the identity that names a row by its key: because of `identity`, or
   * because FULL is ruled out.
   */
  readonly keyIdentity: number;
  /**
   * State of the replication slot. `"lost"`: the server has removed WAL that the consumer still needed, so
   * the slot is of no use any more.
   */
  readonly slotState: "not created yet" | "active" | "inactive" | "lost";
  /** How new tables are taken in: at once by an event trigger, by the next `up`, or not at all. */
  readonly newTables: "event trigger" | "next up" | "not tracked";
  /** What works with limits, by table or object, with the reason; at most twenty. */
  readonly degraded: string[];
}

/** What the component itself does without an argument; the provider fills in the other defaults. */
export const TRAIL_DEFAULTS = {
  environment: "Production",
  schemas: ["public"],
  createdBy: "sql",
  role: "bemi",
} as const;
