import type { Catalog, TableFacts } from "../../contract/catalog";
import type { ReplicaIdentityInputs } from "../../contract/kinds/replicaIdentity";
import { hasLockView, ownModuleSchema, readRecord } from "../record/moduleSchema";
import { encodeRecord, type DatabaseRecord } from "../record/record";
import { hasTracking, ownTriggers, reliesOnTracking } from "../tracking/state";
import { claimed, type Claiming } from "./claim";
import { tablesToRestore, trackedTables } from "./trackedTables";

/** What an up does first: the record has the trail's claim, and the event triggers follow the selection. */
export type PreparationStep =
  /** Claims the tables, and records what those have that are not DEFAULT; in a new schema where there is none. */
  | { readonly step: "claim tables"; readonly before: DatabaseRecord; readonly after: DatabaseRecord }
  | { readonly step: "replace functions of event triggers" }
  | { readonly step: "drop event triggers" };

/** What an up does then. */
export type TableStep =
  | {
      readonly step: "set replica identity full";
      /** All tables that are to be FULL. */
      readonly tables: readonly TableFacts[];
      /** Those of them that are not FULL yet. */
      readonly changing: readonly TableFacts[];
    }
  | { readonly step: "restore replica identity"; readonly tables: readonly number[] }
  /** And the identities of tables that were created before the triggers were there. */
  | { readonly step: "create event triggers" };

/** What a destroy does. */
export type RemovalStep =
  | { readonly step: "drop event triggers" }
  | Extract<TableStep, { readonly step: "restore replica identity" }>
  /** Ends the trail's claim. The schema goes when nothing is left in the record. */
  | { readonly step: "end claim" };

type Inputs = Pick<
  ReplicaIdentityInputs,
  "publication" | "schemas" | "tables" | "allTables" | "excludeTables" | "identity" | "trackNewTables"
>;

/**
 * Everything an up does about replica identities, in its order. Never throws: a schema or an event trigger of somebody
 * else is refused before, or by the step.
 *
 * @param recorded oids of the tables that the trail has set to FULL; those that are to be FULL may be left out
 */
export function planReplicaIdentity(
  catalog: Catalog,
  inputs: Inputs,
  recorded: readonly number[],
  claim: Pick<Claiming, "mark" | "state">,
): (PreparationStep | TableStep)[] {
  return [...planPreparation(catalog, inputs, claim), ...planTables(catalog, inputs, recorded)];
}

/** The first part of {@link planReplicaIdentity}. */
export function planPreparation(
  catalog: Catalog,
  inputs: Inputs,
  claim: Pick<Claiming, "mark" | "state">,
): PreparationStep[] {
  return [...planClaim(catalog, inputs, claim), ...planExistingTriggers(catalog, inputs)];
}

/** The second part of {@link planReplicaIdentity}. */
export function planTables(catalog: Catalog, inputs: Inputs, recorded: readonly number[]): TableStep[] {
  const { publication, trackNewTables } = inputs;
  const steps: TableStep[] = [];
  const tracked = trackedTables(catalog, inputs);
  const tables = tracked.flatMap(({ full, table }) => (full ? [table] : []));
  const changing = tables.filter(({ identity }) => identity !== "full");
  if (tables.length > 0) steps.push({ step: "set replica identity full", tables, changing });
  const restore = tablesToRestore(catalog, tracked, recorded, publication);
  if (restore.length > 0) steps.push({ step: "restore replica identity", tables: restore });
  // Last: the triggers would look at each of the changes before, which takes as long again.
  if (trackNewTables && !hasTracking(catalog, publication)) steps.push({ step: "create event triggers" });
  return steps;
}

/**
 * Everything a destroy does about replica identities, in its order.
 *
 * @param recorded oids of the tables that the trail has set to FULL
 */
export function planRemoval(recorded: readonly number[]): RemovalStep[] {
  return [
    // First: otherwise the triggers would set every table that is restored to FULL again.
    { step: "drop event triggers" },
    ...(recorded.length === 0 ? [] : [{ step: "restore replica identity" as const, tables: recorded }]),
    { step: "end claim" },
  ];
}

function planClaim(
  catalog: Catalog,
  inputs: Inputs,
  { mark, state }: Pick<Claiming, "mark" | "state">,
): PreparationStep[] {
  const before = readRecord(catalog);
  const after = claimed(before, catalog, { publication: inputs.publication, mark, selection: inputs, state });
  const inPlace = ownModuleSchema(catalog) !== undefined && hasLockView(catalog);
  return inPlace && encodeRecord(before) === encodeRecord(after)
    ? []
    : [{ step: "claim tables", before, after }];
}

/** Event triggers that exist come before the tables: otherwise they would track a table again that is to leave. */
function planExistingTriggers(catalog: Catalog, { publication, trackNewTables }: Inputs): PreparationStep[] {
  if (trackNewTables)
    return hasTracking(catalog, publication) ? [{ step: "replace functions of event triggers" }] : [];
  // Where the publication relies on them, the publication's own step drops them, when it no longer does.
  const drop = ownTriggers(catalog, publication).length > 0 && !reliesOnTracking(catalog, publication);
  return drop ? [{ step: "drop event triggers" }] : [];
}
