import type { DriftName } from "../../provider/contract/drift";
import type { ReadinessOutputs } from "../../provider/contract/kinds/readiness";
import type { Finding } from "../../provider/postgres/selection/findings";

/** A replication slot and its consumer, as the server reports them at one moment. */
export interface SlotDetails {
  /** `null` for a physical slot. */
  readonly database: string | null;
  readonly plugin: string | null;
  /** Whether a consumer is connected to it. */
  readonly active: boolean;
  readonly walStatus: string | null;
  /** Why the server made the slot useless; `null` otherwise, and before PostgreSQL 17. */
  readonly invalidated: string | null;
  /** For how long it has had no consumer; `null` while it has one, and before PostgreSQL 17. */
  readonly idleSeconds: number | null;
  /** Write-ahead log that the server keeps for it. */
  readonly retainedBytes: number | null;
  /** Write-ahead log that the consumer has not confirmed. */
  readonly lagBytes: number | null;
  /** Role of the consumer; `null` without one. */
  readonly role: string | null;
  /** Address that the consumer connects from, as the server sees it; `null` without one, or if it is hidden from us. */
  readonly address: string | null;
  readonly connectedSeconds: number | null;
  /** Since the consumer's last message; `null` without one, or if it is hidden from us. */
  readonly silentSeconds: number | null;
  /** `wal_sender_timeout`, e.g. `1min`: the server ends the connection of a consumer that is silent for longer. */
  readonly senderTimeout: string;
}

/** Names of what is checked. */
export interface CheckedTrail {
  readonly name: string;
  readonly projectId: string;
  readonly branch: string;
  readonly database: string;
  readonly role: string;
  readonly publication: string;
  readonly slot: string;
}

/** A finding of Readiness, and which kind of object it is about. */
export interface ReadinessFinding extends Finding {
  /** Whether it is about one table, which the others do not suffer from. */
  readonly ofTable: boolean;
  /** Whether UPDATE and DELETE of the table fail. */
  readonly writesFail: boolean;
}

/** Everything that was found out about a trail, read-only and at one moment. */
export interface CheckFacts {
  readonly trail: CheckedTrail;
  /** `wal_level`, the numbers of tables, how new tables are taken in. */
  readonly readiness: Omit<ReadinessOutputs, "degraded">;
  readonly findings: readonly ReadinessFinding[];
  /** `undefined`: there is no such slot. */
  readonly slot: SlotDetails | undefined;
  /** `undefined`: the password is not at hand, so no login was tried. */
  readonly login: "accepted" | "refused" | undefined;
  /** What the kinds report as changed since the last up. */
  readonly drift: readonly { readonly resource: string; readonly name: DriftName; readonly text: string }[];
}

/** From when on something is a problem. */
export interface Thresholds {
  /** A consumer that is away for longer makes the trail dead. */
  readonly maxIdleMinutes: number;
  /** A slot that holds back more makes the trail degraded. */
  readonly maxRetainedMb: number;
  /** A consumer that is further behind makes the trail degraded. */
  readonly maxLagMb: number;
}

export const DEFAULT_THRESHOLDS: Thresholds = { maxIdleMinutes: 60, maxRetainedMb: 1024, maxLagMb: 256 };
