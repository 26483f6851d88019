import type { RecordedTarget } from "./target";

/** How to reach the database as a role: the fields of Bemi's dialog. */
export interface RoleOutputs extends RecordedTarget {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  /** Secret. */
  readonly password: string;
  /** Whether this resource made the role; an adopted one survives a destroy. */
  readonly created: boolean;
}

export type LogicalReplicationOutputs = Partial<RecordedTarget> & {
  /** What `SHOW wal_level` said (with a database), or what the project's setting stands for (without one). */
  readonly walLevel: "logical";
  /** Whether this resource turned it on. It stays on: Neon cannot turn it off again. */
  readonly enabledHere: boolean;
};

export type ApiRoleOutputs = RoleOutputs;
export type ReplicationRoleOutputs = RoleOutputs;

export interface IpAllowOutputs {
  /** The entries this resource added, as sent to Neon; entries that were there before are not among them. */
  readonly added: readonly string[];
  /** `true` when the list was empty (open to all) before. */
  readonly wasOpen: boolean;
}

export interface ReadAccessOutputs extends RecordedTarget {
  /** Tables the role can read of those wanted. */
  readonly readable: number;
  readonly wanted: number;
}

/** Counts and a fingerprint, never a list of tables: state stays small with any number of them. */
export interface CoverageOutputs extends RecordedTarget {
  readonly wanted: number;
  /** Of the wanted, those that are as they should be. */
  readonly done: number;
  /** Changes whenever the set of tables or their condition changes. */
  readonly fingerprint: string;
  /** The first few tables that are not as they should be, with the reason; at most ten. */
  readonly pending: readonly string[];
}

export interface ReplicaIdentityOutputs extends CoverageOutputs {
  /** How new tables get their identity: at once by an event trigger, or by the next up. */
  readonly newTables: "event trigger" | "next up" | "not tracked";
}

export interface PublicationOutputs extends CoverageOutputs {
  /** The form the publication has in the catalog. */
  readonly form: "all tables" | "table list";
  readonly created: boolean;
}

export interface ReplicationSlotOutputs extends RecordedTarget {
  /** Coarse on purpose: what moves all the time (lag) is not an output. */
  readonly state: "not created yet" | "active" | "inactive" | "lost";
}

export interface ReadinessOutputs extends RecordedTarget {
  readonly ready: boolean;
  readonly walLevel: string;
  readonly serverVersion: string;
  /** `"14 of 14"`. */
  readonly publishedTables: string;
  /** `"14 of 14"`. */
  readonly fullIdentity: string;
  /** State of the slot; `slot` itself is the input with its name. */
  readonly slotState: ReplicationSlotOutputs["state"];
  readonly newTables: ReplicaIdentityOutputs["newTables"];
  /** What works with limits, by table or object, with the reason; not blocking. At most twenty. */
  readonly degraded: readonly string[];
}
