import type { Catalog } from "../../contract/catalog";
import type { ReplicaIdentityInputs } from "../../contract/kinds/replicaIdentity";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { compareMarks, databaseObjectMark, takenOver } from "../ownership/mark";
import { readRecord } from "../record/moduleSchema";
import { exclusionWarnings } from "../selection/findings";
import { select } from "../selection/selection";
import { mayCreateTriggers } from "../tracking/state";
import { claimOf, isRecordLost, setByTrail, type FormerState } from "./claim";
import { claimMark, refuseObstacles } from "./converge";
import { describeChanges } from "./describe";
import { afterSteps } from "./hypothetical";
import { planPreparation, planTables } from "./plan";

/** What an up is going to do about replica identities. */
export interface Preview {
  /** The catalog as it will be, if every table can be changed. */
  readonly catalog: Catalog;
  /** The id in the ownership mark; `undefined` where only the up makes one. */
  readonly ownershipId: string | undefined;
  /** Whether only the up will tell if event triggers can be made. */
  readonly trackingUnknown: boolean;
  readonly changes: readonly string[];
}

/**
 * Plans an up and changes nothing.
 *
 * @param state `undefined` where there is none yet
 * @throws UserError what the up would throw before its first write
 */
export async function preview(
  inputs: ReplicaIdentityInputs,
  run: Run,
  session: Session,
  state: FormerState | undefined,
): Promise<Preview> {
  const { publication } = inputs;
  const before = await run.forecast(session);
  const mark = claimMark(session, before, inputs, state?.ownershipId);
  const selected = select(before, inputs);
  refuseObstacles(before, inputs, selected, mark);

  const existing = claimOf(readRecord(before), publication);
  const names = databaseObjectMark(session, { managedBy: inputs.managedBy, ownershipId: state?.ownershipId });
  const own = compareMarks(existing, names) === "ours";
  const leftover =
    state === undefined && own ? [takenOver(`The record of this trail in schema ${MODULE_SCHEMA}`)] : [];

  const preparation = planPreparation(before, inputs, { mark, state });
  const lost = isRecordLost(readRecord(before), before, publication, state);
  const plain = { publication, mark, lost, previous: new Map() };
  const prepared = afterSteps(before, preparation, plain);
  const previous = setByTrail(readRecord(prepared), prepared, publication);
  const circumstances = { ...plain, previous };
  const steps = [...preparation, ...planTables(prepared, inputs, [...previous.keys()])];
  const catalog = afterSteps(before, steps, circumstances);
  run.expect(session, catalog);
  return {
    catalog,
    ownershipId: state?.ownershipId ?? (own ? mark.id : undefined),
    trackingUnknown:
      steps.some(({ step }) => step === "create event triggers") && mayCreateTriggers(before) === undefined,
    changes: [...leftover, ...describeChanges(before, steps, circumstances), ...exclusionWarnings(selected)],
  };
}
