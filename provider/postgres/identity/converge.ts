import type { Catalog } from "../../contract/catalog";
import type { ReplicaIdentityInputs } from "../../contract/kinds/replicaIdentity";
import type { Run } from "../../contract/kind";
import { execute, type Doers } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { withIdentities } from "../catalog/identities";
import { UserError } from "../../contract/errors";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import {
  compareMarks,
  databaseObjectMark,
  describeMark,
  identifiedBy,
  type Mark,
  wayOut,
} from "../ownership/mark";
import { changeRecord } from "../record/change";
import { readRecord, refuseForeignSchema } from "../record/moduleSchema";
import { preflight, selectionFindings, exclusionWarnings, serverFindings } from "../selection/findings";
import { select, takesNewTables, type SelectedTables } from "../selection/selection";
import { waitForOlderWriters } from "../sql/block";
import { describeHolders, openWriters } from "../sql/holders";
import { LOCK_POLICY } from "../sql/lockPolicy";
import { installTracking, removeTracking } from "../tracking/install";
import { refuseForeignTriggers } from "../tracking/state";
import {
  claimed,
  claimOf,
  isRecordLost,
  only,
  setByTrail,
  type FormerIdentity,
  type FormerState,
} from "./claim";
import { describeClaim } from "./describe";
import { keyFindings } from "./keyFindings";
import { planPreparation, planTables, type PreparationStep, type TableStep } from "./plan";
import { logChanges, logLocked, logLockedRestore, settleRecord } from "./restore";
import { changeIdentities } from "./statement";
import { trackedTables } from "./trackedTables";

/** From how many tables on a change takes long enough to be announced. */
const MANY = 500;

/** What an up came to: the catalog with the identities as they are now, and the mark of the claim. */
export interface Converged {
  readonly catalog: Catalog;
  readonly mark: Mark;
}

/**
 * Plans what an up does about replica identities, and does it. The plan has two parts: when event triggers have been
 * replaced or dropped, the tables are planned from a fresh catalog, because the triggers as they were may have left out
 * a table that was created since the first read.
 *
 * @param state what the last run left; `undefined` on create
 */
export async function converge(
  inputs: ReplicaIdentityInputs,
  run: Run,
  session: Session,
  state: FormerState | undefined,
): Promise<Converged> {
  const before = await session.catalog();
  const mark = claimMark(session, before, inputs, state?.ownershipId);
  const selected = select(before, inputs);
  refuseObstacles(before, inputs, selected, mark);
  for (const line of exclusionWarnings(selected)) run.log(line);

  const work: Work = { inputs, run, session, mark, state };
  const preparation = planPreparation(before, inputs, work);
  await execute(preparation, preparationDoers(work, before), run);
  run.checkpoint();

  const reread = preparation.some(({ step }) => CHANGES_TRIGGERS.includes(step));
  const catalog = reread ? await session.catalog() : before;
  const tracked = trackedTables(catalog, inputs);
  const record = claimStep(preparation)?.after ?? readRecord(before);
  const previous = setByTrail(record, catalog, inputs.publication);
  const steps = planTables(catalog, inputs, [...previous.keys()]);
  let fresh: Catalog | undefined;
  await execute(
    steps,
    tableDoers(work, catalog, previous, (now) => (fresh = now)),
    run,
  );
  // Selections that are no longer wanted go as soon as their tables have been given back.
  if ((claimOf(record, inputs.publication)?.selections.length ?? 1) > 1)
    await settleRecord(session, inputs.publication);
  const oids = tracked.map(({ table }) => table.oid);
  return { catalog: fresh ?? (await withIdentities(session, catalog, oids)), mark: work.mark };
}

/** The mark that this resource's claim in the record has, or will have. */
export function claimMark(
  session: Pick<Session, "target">,
  catalog: Catalog,
  { publication, managedBy }: ReplicaIdentityInputs,
  ownershipId: string | undefined,
): Mark & { readonly id: string } {
  const found = claimOf(readRecord(catalog), publication);
  return identifiedBy(databaseObjectMark(session, { managedBy, ownershipId }), found);
}

/** @throws UserError what keeps an up from its first write */
export function refuseObstacles(
  catalog: Catalog,
  inputs: ReplicaIdentityInputs,
  selected: SelectedTables,
  mark: Mark,
): void {
  const { publication, trackNewTables } = inputs;
  preflight([...serverFindings(catalog), ...selectionFindings(selected), ...keyFindings(catalog, inputs)]);
  refuseForeignSchema(catalog);
  refuseForeignClaim(catalog, publication, mark);
  if (trackNewTables) refuseForeignTriggers(catalog, publication);
}

/** A claim that came along with a copied branch is no obstacle: the copy has the same tables under the same oids. */
function refuseForeignClaim(catalog: Catalog, publication: string, mark: Mark): void {
  const found = claimOf(readRecord(catalog), publication);
  const owner = compareMarks(found, mark);
  if (found === undefined || owner !== "other resource") return;
  const named = wayOut(found, mark, "give the publication another name");
  throw new UserError(
    `The record in schema ${MODULE_SCHEMA} has a claim for publication "${publication}" already, which ${describeMark(owner, found, mark)}. ${named}, or destroy that trail first.`,
  );
}

/** The step that claims the tables, if the plan has it. */
function claimStep(steps: readonly PreparationStep[]) {
  return steps.find((step) => step.step === "claim tables");
}

const CHANGES_TRIGGERS: readonly PreparationStep["step"][] = [
  "replace functions of event triggers",
  "drop event triggers",
];

/** What is needed to do the steps. */
interface Work {
  readonly inputs: ReplicaIdentityInputs;
  readonly run: Run;
  readonly session: Session;
  /** The mark of the claim. Another id than at first where another run has claimed the tables for this trail meanwhile. */
  mark: Mark & { readonly id: string };
  readonly state: FormerState | undefined;
}

function preparationDoers(work: Work, catalog: Catalog): Doers<PreparationStep> {
  const { inputs, run, session, mark, state } = work;
  const { publication } = inputs;
  return {
    "claim tables": async (step) => {
      const lost = isRecordLost(step.before, catalog, publication, state);
      for (const line of describeClaim(catalog, step, { publication, mark, lost })) run.log(line);
      await changeRecord(session, (record, now) => {
        if (claimOf(record, publication) !== undefined) {
          work.mark = claimMark(session, now, inputs, state?.ownershipId);
          refuseForeignClaim(now, publication, work.mark);
        }
        return claimed(record, now, { publication, mark: work.mark, selection: inputs, state });
      });
    },
    "replace functions of event triggers": async () => {
      await track(work, catalog);
    },
    "drop event triggers": () => removeTracking(session, catalog, publication),
  };
}

/** @param onFresh is told the catalog as it is, where a step has read it again */
function tableDoers(
  work: Work,
  catalog: Catalog,
  previous: ReadonlyMap<number, FormerIdentity>,
  onFresh: (now: Catalog) => void,
): Doers<TableStep> {
  const { inputs, run, session } = work;
  const { publication } = inputs;
  /** Announces a change of many tables, and says how far it is. */
  const announce = (open: number) => {
    if (open >= MANY) run.log(`Changing the replica identity of ${open} tables, one at a time.`);
    return (left: number): void => {
      run.log(`${open - left} of ${open} replica identities are changed.`);
    };
  };
  return {
    "set replica identity full": async ({ tables, changing }) => {
      const full = tables.map(({ oid }) => oid);
      const progress = announce(changing.length);
      const changes = await changeIdentities(session, { publication, full }, progress);
      logChanges(changes, catalog, run);
      await logLocked(session, changes, catalog, run);
    },
    "restore replica identity": async ({ tables }) => {
      const progress = announce(tables.length);
      const restore = only(previous, tables);
      const changes = await changeIdentities(session, { publication, restore }, progress);
      logChanges(changes, catalog, run);
      await logLockedRestore(session, changes, catalog, run, "with the next up");
    },
    "create event triggers": async () => {
      if (!(await track(work, catalog))) return;
      // Transactions older than the triggers may have created tables. Wait for them, then plan from a fresh catalog.
      if (!(await waitForOlderWriters(session, LOCK_POLICY.migrationPatience))) {
        const held = describeHolders(await openWriters(session, "this database"));
        // A transaction in another database creates no table here.
        if (held !== undefined)
          run.log(
            `Tables that a transaction has created which is still open are tracked from the next up on. ${held}`,
          );
      }
      const known = new Set(catalog.tables.map(({ oid }) => oid));
      const now = await session.catalog();
      const full = trackedTables(now, inputs).flatMap((entry) =>
        entry.full && !known.has(entry.table.oid) ? [entry.table.oid] : [],
      );
      if (full.length > 0) await changeIdentities(session, { publication, full });
      onFresh(full.length > 0 ? await withIdentities(session, now, full) : now);
    },
  };
}

/** Makes event triggers, or brings them in line with the selection; `false`, and a log line, where our role may not. */
async function track({ inputs, run, session, mark }: Work, catalog: Catalog): Promise<boolean> {
  if (await installTracking(session, catalog, inputs, inputs.publication, mark)) return true;
  if (takesNewTables(inputs))
    run.log("New tables are tracked from the next up on: our role may not create event triggers here.");
  return false;
}
