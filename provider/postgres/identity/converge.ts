import type { Catalog } from "../../contract/catalog";
import type { ReplicaIdentityInputs } from "../../contract/kinds/replicaIdentity";
import type { Run } from "../../contract/kind";
import { execute, type Doers } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { withIdentities } from "../catalog/query";
import { describeOwnership, identified, databaseObjectMark, ownership, type Mark } from "../ownership/mark";
import { ownNames } from "../ownership/ownNames";
import { preflight, selectionFindings, selectionWarnings, serverFindings } from "../selection/findings";
import { select, takesNewTables, type SelectedTables } from "../selection/selection";
import { waitForOlderWriters } from "../sql/block";
import { LOCK_POLICY } from "../sql/lockPolicy";
import { installTracking, removeTracking } from "../tracking/install";
import { refuseForeignTriggers } from "../tracking/state";
import { planPreparation, planTables, type PreparationStep, type TableStep } from "./plan";
import { createRecord, createSchema, markSchema, readRecord, refuseForeignSchema } from "./record";
import { logChanges, restoreIdentities } from "./restore";
import { changeIdentities } from "./statement";
import { trackedTables } from "./trackedTables";

/** From how many tables on a change takes long enough to be announced. */
const MANY = 500;

/** What an up came to: the catalog with the identities as they are now, and the mark on the module's schema. */
export interface Converged {
  readonly catalog: Catalog;
  readonly mark: Mark;
}

/**
 * Plans what an up does about replica identities, and does it. The plan has two parts: when event triggers have been
 * replaced or dropped, the tables are planned from a fresh catalog, because the triggers as they were may have left out
 * a table that was created since the first read.
 *
 * @param ownershipId the id in the state; `undefined` on create
 */
export async function converge(
  inputs: ReplicaIdentityInputs,
  run: Run,
  session: Session,
  ownershipId: string | undefined,
): Promise<Converged> {
  const { publication } = inputs;
  const before = await session.catalog();
  const mark = schemaMark(session, before, inputs, ownershipId);
  const selected = select(before, inputs);
  refuseObstacles(before, inputs, selected, mark);
  for (const line of selectionWarnings(selected)) run.log(line);

  const preparation = planPreparation(before, inputs, mark);
  await execute(preparation, preparationDoers({ inputs, run, session, mark }, before), run);
  run.checkpoint();

  const reread = preparation.some(({ step }) => CHANGES_TRIGGERS.includes(step));
  const catalog = reread ? await session.catalog() : before;
  const tracked = trackedTables(catalog, inputs);
  const full = tracked.flatMap((entry) => (entry.full ? [entry.table.oid] : []));
  const steps = planTables(catalog, inputs, await readRecord(session, before, publication, full));
  let fresh: Catalog | undefined;
  await execute(
    steps,
    tableDoers({ inputs, run, session, mark }, catalog, (now) => (fresh = now)),
    run,
  );
  const oids = tracked.map(({ table }) => table.oid);
  return { catalog: fresh ?? (await withIdentities(session, catalog, oids)), mark };
}

/** The mark that this resource has, or will have, on the module's schema. */
export function schemaMark(
  session: Pick<Session, "target">,
  catalog: Catalog,
  { publication, managedBy }: ReplicaIdentityInputs,
  ownershipId: string | undefined,
): Mark {
  const { schema } = ownNames(publication);
  const existing = catalog.schemas.find(({ name }) => name === schema);
  return identified(databaseObjectMark(session, { managedBy, ownershipId }), existing?.comment);
}

/** @throws UserError what keeps an up from its first write */
export function refuseObstacles(
  catalog: Catalog,
  { publication, trackNewTables }: ReplicaIdentityInputs,
  selected: SelectedTables,
  mark: Mark,
): void {
  preflight([...serverFindings(catalog), ...selectionFindings(selected)]);
  refuseForeignSchema(catalog, publication, mark);
  if (trackNewTables) refuseForeignTriggers(catalog, publication);
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
  readonly mark: Mark;
}

function preparationDoers(work: Work, catalog: Catalog): Doers<PreparationStep> {
  const { inputs, run, session, mark } = work;
  return {
    "create schema": ({ schema }) => createSchema(session, schema, mark),
    "comment on schema": ({ schema, comment }) => {
      const owner = ownership(comment, mark);
      if (owner !== "ours")
        run.log(`The schema ${schema} ${describeOwnership(owner, comment)}; it is taken over.`);
      return markSchema(session, schema, mark);
    },
    "create record of identities": ({ schema }) => createRecord(session, schema),
    "replace functions of event triggers": async () => {
      await track(work, catalog);
    },
    "drop event triggers": () => removeTracking(session, catalog, inputs.publication),
  };
}

/** @param onFresh is told the catalog as it is, where a step has read it again */
function tableDoers(work: Work, catalog: Catalog, onFresh: (now: Catalog) => void): Doers<TableStep> {
  const { inputs, run, session } = work;
  const { publication } = inputs;
  const { schema } = ownNames(publication);
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
      logChanges(await changeIdentities(session, { schema, full, restore: [] }, progress), catalog, run);
    },
    "restore replica identity": async ({ tables }) => {
      const progress = announce(tables.length);
      logChanges(await restoreIdentities(session, catalog, publication, tables, progress), catalog, run);
    },
    "create event triggers": async () => {
      if (!(await track(work, catalog))) return;
      // Transactions older than the triggers may have created tables. Wait for them, then plan from a fresh catalog.
      await waitForOlderWriters(session, LOCK_POLICY.migrationPatience);
      const known = new Set(catalog.tables.map(({ oid }) => oid));
      const now = await session.catalog();
      const full = trackedTables(now, inputs).flatMap((entry) =>
        entry.full && !known.has(entry.table.oid) ? [entry.table.oid] : [],
      );
      if (full.length > 0) await changeIdentities(session, { schema, full, restore: [] });
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
