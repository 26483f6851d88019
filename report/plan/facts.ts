import type { Catalog } from "../../provider/contract/catalog";
import type { DriftName } from "../../provider/contract/drift";
import type { NeonProject } from "../../provider/contract/neonApi";
import type { Selection } from "../../provider/postgres/selection/selection";
import type { Statistics } from "./statistics";

/** The arguments of a trail that a report needs, as a preview shows them. */
export interface TrailSettings {
  readonly projectId: string;
  readonly branch?: string;
  /** Name of the branch that the up makes as a copy of `branch`, and that the trail is on. Left out: `branch` itself. */
  readonly copyAs?: string;
  readonly database: string;
  readonly selection: Selection;
  readonly trackNewTables: boolean;
  readonly role: string;
  readonly createdBy: "sql" | "api";
  /** Whether the role is granted SELECT on the selected tables. */
  readonly readAccess: boolean;
  readonly publication: string;
  readonly slot: string;
  readonly dropSlotOnDestroy: boolean;
  readonly adopt: boolean;
  readonly logicalReplication: "enable" | "require";
  /** Left out: the IP Allow list is left alone. */
  readonly allowedIps?: readonly string[];
  readonly restrictOpenProject: boolean;
}

/** What a preview does with one resource of the trail. */
export interface Operation {
  /** Name of the kind: `Publication`. */
  readonly type: string;
  readonly name: string;
  readonly change: "create" | "update" | "replace" | "delete" | "none";
}

/** What was seen in Neon and in the database. */
export interface Seen {
  readonly project: NeonProject;
  /** Name of the branch. */
  readonly branch: string;
  readonly catalog: Catalog;
  readonly statistics: Statistics;
}

/** Everything that is known of one trail. */
export interface TrailFacts {
  readonly name: string;
  /** `undefined`: not all of them are known before the up. */
  readonly settings: TrailSettings | undefined;
  readonly operations: readonly Operation[];
  /** What the preview says under the trail's resources. */
  readonly messages: readonly { readonly resource: string; readonly text: string }[];
  /** Why the preview of a resource failed. */
  readonly failures: readonly { readonly resource: string; readonly text: string }[];
  readonly drift: readonly { readonly resource: string; readonly name: DriftName; readonly text: string }[];
  /** What was seen, or why nothing was. */
  readonly seen: Seen | { readonly notSeen: string };
  /** Where the program declares it. */
  readonly source?: { readonly file: string; readonly line: number };
}

/** What the user gives for the report. */
export interface PlanOptions {
  /** What a gigabyte of write-ahead log costs, in a currency of the user's. Left out: no money is mentioned. */
  readonly pricePerGb?: number;
  /** Statistics of a shorter time say nothing about a day. */
  readonly minWindowHours: number;
  readonly exceptions: readonly Exception[];
}

/** A finding that somebody has accepted. */
export interface Exception {
  readonly code: string;
  /** Left out: any subject. */
  readonly subject?: string;
  readonly reason: string;
}

export const DEFAULT_MIN_WINDOW_HOURS = 24;

/** Whether something was seen. */
export function wasSeen(seen: TrailFacts["seen"]): seen is Seen {
  return "catalog" in seen;
}
