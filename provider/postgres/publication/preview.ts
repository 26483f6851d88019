import type { Catalog } from "../../contract/catalog";
import type { PublicationInputs } from "../../contract/kinds/publication";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { tablesByOid } from "../catalog/tableIndex";
import { readPrevious, type PreviousIdentity } from "../identity/record";
import { trackedTables } from "../identity/trackedTables";
import { identified, databaseObjectMark, ownership, takenOver } from "../ownership/mark";
import { preflight, selectionFindings, selectionWarnings, serverFindings } from "../selection/findings";
import { select, type Selection } from "../selection/selection";
import { describeChanges } from "./describe";
import { afterSteps } from "./forecast";
import { findPublication, leavers, planPublication } from "./plan";

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

  const comment = findPublication(before, name)?.comment;
  const names = databaseObjectMark(session, { managedBy, ownershipId: state?.ownershipId });
  const mark = identified(names, comment);
  const own = ownership(comment, names) === "ours";
  const leftover = state === undefined && own ? [takenOver(`The publication ${name}`)] : [];

  const candidates = leavers(before, inputs, state);
  const full = trackedTables(before, inputs).flatMap((entry) => (entry.full ? [entry.table.oid] : []));
  const previous: ReadonlyMap<number, PreviousIdentity> =
    candidates.size === 0 ? new Map() : await readPrevious(session, before, name, full);
  // A plan of the replica identities may have restored some of them already.
  const stillFull = (oid: number): boolean => tablesByOid(before).get(oid)?.identity === "full";
  const recorded = [...previous.keys()].filter((oid) => candidates.has(oid) && stillFull(oid));
  const steps = planPublication(before, inputs, { state, recorded, mark });
  const catalog = afterSteps(before, steps, inputs, { mark, previous });
  run.expect(session, catalog);
  return {
    catalog,
    ownershipId: state?.ownershipId ?? (own ? mark.id : undefined),
    changes: [
      ...leftover,
      ...describeChanges(before, steps, name, previous),
      ...selectionWarnings(selected, { emptiness: true }),
    ],
  };
}
