import type { Catalog } from "../../contract/catalog";
import type { DriftName } from "../../contract/drift";
import { parseImportId } from "../../contract/importId";
import {
  type ReplicaIdentityInputs,
  type ReplicaIdentityOutputs,
  replicaIdentityDefinition,
} from "../../contract/kinds/replicaIdentity";
import type { Drift, Kind, Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { recorded as recordedTarget } from "../../contract/target";
import { firstFew } from "../../contract/wording";
import { nameTables, tablesByOid } from "../catalog/tableIndex";
import { formatTableName } from "../catalog/tableNames";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { databaseObjectMark, identifiedBy, isMarkOfResource } from "../ownership/mark";
import { LOCK_VIEW } from "../record/lines";
import { hasLockView, readRecord } from "../record/moduleSchema";
import { fullSelection, publishedSelection } from "../selection/imported";
import { unlessGone } from "../session/gone";
import { describeIdleTriggers, newTablesMode, ownTriggers } from "../tracking/state";
import { claimOf, setByTrail } from "./claim";
import { converge } from "./converge";
import { planReplicaIdentity } from "./plan";
import { preview } from "./preview";
import { remove } from "./remove";
import { describePending, fingerprint } from "./summary";
import { brokenByIdentity, keepsKey, trackedTables } from "./trackedTables";

type State = ReplicaIdentityInputs & Partial<ReplicaIdentityOutputs>;

/**
 * The replica identity FULL of all tracked tables, so that every change is captured with the whole row before it. The
 * identity that each table had before is recorded in the database. It is given back on destroy, or when the table is no
 * longer tracked. If the table is still published then, the publication gives it back after taking the table out,
 * because PostgreSQL refuses UPDATE and DELETE of a published table without a key unless its identity is FULL.
 */
export const replicaIdentity: Kind<ReplicaIdentityInputs, ReplicaIdentityOutputs> = {
  definition: replicaIdentityDefinition,
  id: ({ database, publication }) => `${database}/${publication}/replica-identity`,

  plan: (inputs, run, state) =>
    run.sql(
      inputs,
      async (session) => {
        const { catalog, ownershipId, trackingUnknown, changes } = await preview(inputs, run, session, state);
        const { newTables, ...outputs } = outputsOf(session, catalog, inputs, ownershipId);
        return { outputs: { ...outputs, ...(trackingUnknown ? {} : { newTables }) }, changes };
      },
      state,
    ),

  create: (inputs, run) => run.sql(inputs, (session) => converged(inputs, run, session, undefined)),

  update: (state, inputs, run) => run.sql(inputs, (session) => converged(inputs, run, session, state), state),

  read: (state, run) =>
    unlessGone(() =>
      run.sql(
        state,
        async (session) => {
          const catalog = await session.catalog();
          const outputs = outputsOf(session, catalog, state, ownershipIdOf(session, catalog, state));
          const drift = driftOf(session, catalog, state);
          const { done = outputs.done } = state;
          // Missing event triggers are drift only where there were some. The next read must know that as well.
          const newTables = drift.eventTriggersMissing === undefined ? outputs.newTables : "event trigger";
          // Without the claim, only what the last run did tells a lost record from a destroy that was killed at its end.
          const claims = claimOf(readRecord(catalog), state.publication) !== undefined;
          return {
            outputs: { ...outputs, newTables, ...(claims ? {} : { done }) },
            drift,
          };
        },
        state,
      ),
    ),

  async delete(state, run) {
    await unlessGone(() => run.sql(state, (session) => remove(state, run, session), state));
  },

  find(id, run) {
    const { name: publication, ...target } = parseImportId(id, "ReplicaIdentity");
    return run.sql(target, async (session) => {
      const catalog = await session.catalog();
      const claim = claimOf(readRecord(catalog), publication);
      const published = catalog.publications.find(({ name }) => name === publication);
      if (published === undefined && claim === undefined) return undefined;
      const selection =
        published === undefined
          ? (claim?.selections.at(-1) ?? fullSelection(catalog))
          : publishedSelection(catalog, published);
      return { inputs: { ...target, ...selection, publication }, outputs: recordedTarget(session.target) };
    });
  },
};

async function converged(
  inputs: ReplicaIdentityInputs,
  run: Run,
  session: Session,
  state: State | undefined,
): Promise<ReplicaIdentityOutputs> {
  const { catalog, mark } = await converge(inputs, run, session, state);
  return outputsOf(session, catalog, inputs, mark.id);
}

/** The id in the state, otherwise the one in the claim, if that is this resource's. */
function ownershipIdOf(session: Session, catalog: Catalog, state: State): string | undefined {
  const claim = claimOf(readRecord(catalog), state.publication);
  if (state.ownershipId !== undefined || claim === undefined) return state.ownershipId;
  return isMarkOfResource(claim, databaseObjectMark(session, state)) ? claim.id : undefined;
}

function outputsOf(
  session: Session,
  catalog: Catalog,
  inputs: ReplicaIdentityInputs,
  ownershipId: string | undefined,
): ReplicaIdentityOutputs {
  const tracked = trackedTables(catalog, inputs);
  const pending = tracked.flatMap(({ table, because }) =>
    because === undefined ? [] : [{ table, because }],
  );
  return {
    ...recordedTarget(session.target),
    wanted: tracked.length,
    done: tracked.length - pending.length,
    fingerprint: fingerprint(pending.map(({ table }) => ({ table, state: table.identity }))),
    pending: describePending(pending),
    newTables: newTablesMode(catalog, inputs.publication, inputs, inputs.trackNewTables),
    ...(ownershipId === undefined ? {} : { ownershipId }),
  };
}

/** What the next up will do something about: differences that its plan names, in the user's words. */
function driftOf(session: Session, catalog: Catalog, state: State): Drift {
  const { publication } = state;
  const drift: Partial<Record<DriftName, string>> = {};
  const tracked = trackedTables(catalog, state);
  const record = readRecord(catalog);
  const claim = claimOf(record, publication);
  if (claim === undefined)
    drift.recordMissing =
      state.ownershipId === undefined ? "imported, and not recorded yet" : `schema ${MODULE_SCHEMA}`;
  else if (!hasLockView(catalog)) drift.recordMissing = `view ${MODULE_SCHEMA}.${LOCK_VIEW}`;

  const recorded = [...setByTrail(record, catalog, publication).keys()];
  const mark = identifiedBy(databaseObjectMark(session, state), claim);
  for (const step of planReplicaIdentity(catalog, state, recorded, { mark, state }))
    switch (step.step) {
      case "set replica identity full":
        if (step.changing.length > 0) drift.identityNotFull = firstFew(step.changing.map(formatTableName));
        break;
      case "restore replica identity": {
        // Tables that left the selection, or are to keep their key, while somebody kept them locked; and tables to keep
        // their key that somebody has set to FULL. Writes of other selected ones are reported below.
        const others = new Set(tracked.flatMap((entry) => (keepsKey(entry) ? [] : [entry.table.oid])));
        const left = step.tables.filter(
          (oid) => !others.has(oid) && tablesByOid(catalog).get(oid)?.identity === "full",
        );
        if (left.length > 0) drift.identityNotRestored = nameTables(catalog, left);
        break;
      }
      case "drop event triggers":
        drift.eventTriggersLeft = ownTriggers(catalog, publication)
          .map(({ name }) => name)
          .join(", ");
        break;
      default:
    }
  const broken = brokenByIdentity(catalog, tracked, publication);
  if (broken.length > 0) drift.writesRefused = firstFew(broken.map(({ table }) => formatTableName(table)));
  if (state.trackNewTables && state.newTables === "event trigger") {
    const idle = describeIdleTriggers(catalog, publication);
    if (idle.length > 0) drift.eventTriggersMissing = idle.join(", ");
  }
  return drift;
}
