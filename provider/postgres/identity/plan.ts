import type { Catalog, TableFacts } from "../../contract/catalog";
import type { ReplicaIdentityInputs } from "../../contract/kinds/replicaIdentity";
import { encodeMark, ownership, type Mark } from "../ownership/mark";
import { ownNames } from "../ownership/ownNames";
import { hasTracking, ownTriggers, reliesOnTracking } from "../tracking/state";
import { hasRecord } from "./record";
import { tablesToRestore, trackedTables } from "./trackedTables";

/** What an up does first: the record exists, and the event triggers follow the selection. */
export type PreparationStep =
  /** With its mark, and the record of previous identities in it. */
  | { readonly step: "create schema"; readonly schema: string }
  /**
   * Takes over the schema that came along with a copied branch, whose mark names another branch; or renews the mark
   * after a rename of stack, project or component.
   */
  | { readonly step: "comment on schema"; readonly schema: string; readonly comment: string | null }
  /** The record, in a schema that exists. */
  | { readonly step: "create record of identities"; readonly schema: string }
  | { readonly step: "replace functions of event triggers" }
  | { readonly step: "drop event triggers" };

/** What an up does then. */
export type TableStep =
  | {
      readonly step: "set replica identity full";
      /** All tables that are to be FULL. Those that are FULL already are only recorded. */
      readonly tables: readonly TableFacts[];
      /** Those of them that are not FULL yet. */
      readonly changing: readonly TableFacts[];
    }
  /** Tables of the record by oid, because some of them may have been dropped: those leave the record. */
  | { readonly step: "restore replica identity"; readonly tables: readonly number[] }
  /** And the identities of tables that were created before the triggers were there. */
  | { readonly step: "create event triggers" };

/** What a destroy does. */
export type RemovalStep =
  | { readonly step: "drop event triggers" }
  | Extract<TableStep, { readonly step: "restore replica identity" }>
  /** With the record in it. */
  | { readonly step: "drop schema"; readonly schema: string };

type Inputs = Pick<
  ReplicaIdentityInputs,
  "publication" | "schemas" | "tables" | "allTables" | "excludeTables" | "trackNewTables"
>;

/**
 * Everything an up does about replica identities, in its order. Never throws: a schema or an event trigger of somebody
 * else is refused before, or by the step.
 *
 * @param recorded oids of the tables in the record; those that are to be FULL may be left out
 */
export function planReplicaIdentity(
  catalog: Catalog,
  inputs: Inputs,
  recorded: readonly number[],
  mark: Mark,
): (PreparationStep | TableStep)[] {
  return [...planPreparation(catalog, inputs, mark), ...planTables(catalog, inputs, recorded)];
}

/** The first part of {@link planReplicaIdentity}. */
export function planPreparation(catalog: Catalog, inputs: Inputs, mark: Mark): PreparationStep[] {
  return [...planRecord(catalog, inputs.publication, mark), ...planExistingTriggers(catalog, inputs)];
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
 * @param recorded oids of all tables in the record
 */
export function planRemoval(publication: string, recorded: readonly number[]): RemovalStep[] {
  return [
    // First: otherwise the triggers would set every table that is restored to FULL again.
    { step: "drop event triggers" },
    ...(recorded.length === 0 ? [] : [{ step: "restore replica identity" as const, tables: recorded }]),
    { step: "drop schema", schema: ownNames(publication).schema },
  ];
}

function planRecord(catalog: Catalog, publication: string, mark: Mark): PreparationStep[] {
  const { schema } = ownNames(publication);
  const existing = catalog.schemas.find(({ name }) => name === schema);
  if (existing === undefined) return [{ step: "create schema", schema }];
  const { comment } = existing;
  const steps: PreparationStep[] = [];
  const owner = ownership(comment, mark);
  if (owner === "copy of another branch" || (owner === "ours" && comment !== encodeMark(mark)))
    steps.push({ step: "comment on schema", schema, comment });
  if (!hasRecord(catalog, publication)) steps.push({ step: "create record of identities", schema });
  return steps;
}

/** Event triggers that exist come before the tables: otherwise they would track a table again that is to leave. */
function planExistingTriggers(catalog: Catalog, { publication, trackNewTables }: Inputs): PreparationStep[] {
  if (trackNewTables)
    return hasTracking(catalog, publication) ? [{ step: "replace functions of event triggers" }] : [];
  // Where the publication relies on them, the publication's own step drops them, when it no longer does.
  const drop = ownTriggers(catalog, publication).length > 0 && !reliesOnTracking(catalog, publication);
  return drop ? [{ step: "drop event triggers" }] : [];
}
