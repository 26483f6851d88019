import { UserError } from "../../contract/errors";
import type { ReplicaIdentityInputs, ReplicaIdentityOutputs } from "../../contract/kinds/replicaIdentity";
import type { Run } from "../../contract/kind";
import { execute } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { counted } from "../../contract/wording";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { publishes } from "../catalog/membership";
import { reportLocked } from "../catalog/lockedTables";
import { tablesByOid } from "../catalog/tableIndex";
import { databaseObjectMark, describeMark, identifiedBy, isMarkOfResource } from "../ownership/mark";
import { ownPublication } from "../ownership/ownObjects";
import { changeRecord } from "../record/change";
import { foreignSchema, readRecord } from "../record/moduleSchema";
import { removeTracking } from "../tracking/install";
import { ownTriggers } from "../tracking/state";
import { claimed, claimOf, isRecordLost, only, setByTrail, unclaimed } from "./claim";
import { recordLost } from "./describe";
import { planRemoval, type RemovalStep } from "./plan";
import { logChanges } from "./restore";
import { changeIdentities } from "./statement";

type State = ReplicaIdentityInputs & Partial<ReplicaIdentityOutputs>;

/**
 * Plans what a destroy does about replica identities, and does it: all tables that the trail has set to FULL get back
 * what they had, except for those that another trail claims too.
 */
export async function remove(state: State, run: Run, session: Session): Promise<void> {
  const { publication } = state;
  if (!(await ownsClaim(state, run, session))) return;
  const catalog = await session.catalog();

  const restore = async (): Promise<void> => {
    // Migrations that were open until now may have left more tables, or have set an identity: look again.
    const now = await session.catalog();
    const previous = setByTrail(readRecord(now), now, publication);
    // An up that was killed may have left a publication that no state knows of. What it publishes keeps its identity.
    const published = ownPublication(now, publication);
    const tables = tablesByOid(now);
    const free = [...previous.keys()].filter((oid) => {
      const table = tables.get(oid);
      return published === undefined || table === undefined || !publishes(published, table, tables);
    });
    if (free.length === 0) return;
    const changes = await changeIdentities(session, { publication, restore: only(previous, free) });
    logChanges(changes, now, run);
    if (changes.locked === 0) return;
    const { names, held } = await reportLocked(session, now, changes, { of: "replica identity" });
    throw new UserError(
      `The replica identity of ${counted(changes.locked, "table")} could not be put back, because other transactions kept them locked: ${names}.${held} Run destroy again; what was done stays done.`,
    );
  };

  await execute<RemovalStep>(
    planRemoval([...setByTrail(readRecord(catalog), catalog, publication).keys()]),
    {
      "drop event triggers": () => removeTracking(session, catalog, publication, { waits: true }),
      "restore replica identity": restore,
      "end claim": () => endClaim(state, run, session),
    },
    run,
  );
}

/** Whether there is something to give back. A claim that somebody has removed is made again first. */
async function ownsClaim(state: State, run: Run, session: Session): Promise<boolean> {
  const { publication } = state;
  const catalog = await session.catalog();
  const foreign = foreignSchema(catalog);
  if (foreign !== undefined) {
    run.log(
      `Replica identities stay as they are: the schema with the record of what they were is not ours. ${foreign}`,
    );
    return false;
  }
  let claim = claimOf(readRecord(catalog), publication);
  const expected = databaseObjectMark(session, state);
  if (claim === undefined) {
    const mark = identifiedBy(expected, undefined);
    const claiming = { publication, mark, selection: state, state };
    if (!isRecordLost(readRecord(catalog), catalog, publication, state)) {
      run.log(
        state.ownershipId === undefined
          ? "Replica identities stay as they are: no up has changed any since the resource was imported."
          : `Replica identities stay as they are: the record of what they were, in schema ${MODULE_SCHEMA}, is gone.`,
      );
      return ownTriggers(catalog, publication).length > 0;
    }
    run.log(recordLost(publication));
    const { record } = await changeRecord(session, (known, now) =>
      // Another trail may have claimed the tables meanwhile.
      claimOf(known, publication) === undefined ? claimed(known, now, claiming) : undefined,
    );
    claim = claimOf(record, publication);
  }
  if (claim === undefined || isMarkOfResource(claim, expected)) return true;
  run.log(
    `Replica identities stay as they are: the claim in the record of schema ${MODULE_SCHEMA} ${describeMark("other resource", claim, expected)}.`,
  );
  return false;
}

/** Ends the claim, unless the publication of an interrupted up still publishes tables that it has set to FULL. */
async function endClaim({ publication }: State, run: Run, session: Session): Promise<void> {
  const catalog = await session.catalog();
  const left = setByTrail(readRecord(catalog), catalog, publication).size;
  if (left > 0 && ownPublication(catalog, publication) !== undefined) {
    run.log(
      `The replica identity of ${left} tables stays FULL: an interrupted up left the publication ${publication}, which publishes them. Run up, then destroy again.`,
    );
    return;
  }
  const { kept } = await changeRecord(session, (record, now) => unclaimed(record, now, publication));
  if (kept.length > 0)
    run.log(
      `The schema ${MODULE_SCHEMA} stays: it holds objects that this module did not make: ${kept.join(", ")}.`,
    );
}
