import type { Catalog } from "../../contract/catalog";
import type { PublicationInputs } from "../../contract/kinds/publication";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { claimOf } from "../identity/claim";
import { readRecord } from "../record/moduleSchema";
import { markOn, ownershipOf } from "../ownership/ownObjects";
import { databaseObjectMark, identifiedBy, takenOver } from "../ownership/mark";
import { exclusionWarnings, preflight, selectionFindings, serverFindings } from "../selection/findings";
import { select, type SelectedTables, type Selection } from "../selection/selection";
import { describeChanges, describeLeaving } from "./describe";
import { afterSteps } from "./forecast";
import { findPublication, leaving, planPublication } from "./plan";

/** What a preview says of a publication without a table. */
export const SELECTS_NOTHING = "Warning: The selection comes to no table, so nothing is published.";

/** What an up is going to do about a publication. */
export interface Preview {
  /** The catalog as it will be, if every table can be changed. */
  readonly catalog: Catalog;
  /** The id in the ownership mark; `undefined` where only the up makes one. */
  readonly ownershipId: string | undefined;
  readonly changes: readonly string[];
}

/**
 * Plans an up and changes nothing.
 *
 * @param state `undefined` where there is none yet
 * @throws UserError what the up would throw before its first write
 */
export async function preview(
  inputs: PublicationInputs,
  run: Run,
  session: Session,
  state: (Selection & { readonly ownershipId?: string }) | undefined,
): Promise<Preview> {
  const { name, managedBy } = inputs;
  const before = await run.forecast(session);
  const selected = select(before, inputs);
  preflight([...serverFindings(before), ...selectionFindings(selected)]);

  const existing = findPublication(before, name);
  const names = databaseObjectMark(session, { managedBy, ownershipId: state?.ownershipId });
  const mark = identifiedBy(names, markOn(existing, before));
  const own = existing !== undefined && ownershipOf(existing, names, before) === "ours";
  const leftover = state === undefined && own ? [takenOver(`The publication ${name}`)] : [];

  const previous = leaving(before, inputs, state);
  const steps = planPublication(before, inputs, { state, recorded: [...previous.keys()], mark });
  const catalog = afterSteps(before, steps, inputs, previous);
  run.expect(session, catalog);
  return {
    catalog,
    ownershipId: state?.ownershipId ?? (own ? mark.id : undefined),
    changes: [
      ...leftover,
      ...describeChanges(before, steps, name, previous),
      ...describeLeaving(before, catalog, name),
      ...selectionWarnings(before, selected, name),
    ],
  };
}

/**
 * Lines about a selection that up carries out and that is perhaps not what was meant. Those about excluded names are left
 * to the trail's `ReplicaIdentity`, which comes first: where there is one, the record has its claim.
 */
export function selectionWarnings(catalog: Catalog, selected: SelectedTables, name: string): string[] {
  const claimed = claimOf(readRecord(catalog), name) !== undefined;
  return [
    ...(claimed ? [] : exclusionWarnings(selected)),
    ...(selected.tables.length > 0 ? [] : [SELECTS_NOTHING]),
  ];
}
