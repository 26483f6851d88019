import { LOCK_POLICY } from "../sql/lockPolicy";
import { UserError } from "../../contract/errors";
import { replicaIdentityInputs, type ReplicaIdentityInputs } from "../../contract/inputs";
import type { Drift, Kind, Run } from "../../contract/kind";
import type { ReplicaIdentityOutputs } from "../../contract/outputs";
import { recorded as recordedTarget } from "../../contract/target";
import { waitForOlderWriters } from "../sql/block";
import type { Catalog } from "../../contract/catalog";
import { withIdentities } from "../catalog/query";
import { preflight, selectionFindings, serverFindings } from "../selection/findings";
import { unlessGone } from "../session/gone";
import { brokenByIdentity, describePending, fingerprint, trackedTables, planRestore } from "./plan";
import { dropRecord, dropSchema, ensureRecord, handOver, hasRecord, readRecord } from "./record";
import { changeIdentities, type IdentityChanges } from "./statement";
import { madeByResource, markOf } from "../ownership/mark";
import { formatTableName } from "../catalog/tableNames";
import { select, takesNewTables } from "../selection/selection";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { nameTables, tablesByOid } from "../catalog/tableIndex";
import { installTracking, removeTracking } from "../tracking/install";
import { firstFew } from "../../contract/wording";
import { ownNames } from "../ownership/ownNames";
import { ownPublication } from "../ownership/ownObjects";
import { hasTracking, newTablesMode, reliesOnTracking, tracksNewTables } from "../tracking/state";

type State = ReplicaIdentityInputs & Partial<ReplicaIdentityOutputs>;

/** From how many tables on it takes long enough to be announced. */
const MANY = 500;

/**
 * The replica identity FULL of all tracked tables, so that every change is captured with the whole row before. What
 * each table had before is recorded in the database and given back on destroy, or when the table is no longer tracked:
 * at once if it is not published, else by the publication when it has taken the table out, since UPDATE and DELETE of
 * a published table without a key are refused unless its identity is FULL.
 */
export const replicaIdentity: Kind<ReplicaIdentityInputs, ReplicaIdentityOutputs> = {
  name: "replicaIdentity",
  inputs: replicaIdentityInputs,
  replaceOn: ["publication"],
  id: ({ database, publication }) => `${database}/${publication}/replica-identity`,

  create: (inputs, run) => run.sql(inputs, (session) => converge(inputs, run, session)),

  update: (state, inputs, run) => run.sql(inputs, (session) => converge(inputs, run, session), state),

  read: (state, run) =>
    unlessGone(() =>
      run.sql(
        state,
        async (session) => {
          const catalog = await session.catalog();
          const drift = { ...driftOf(catalog, state), ...(await leftoverDrift(session, catalog, state)) };
          return { outputs: outputsOf(session, catalog, state), drift };
        },
        state,
      ),
    ),

  async delete(state, run) {
    await unlessGone(() => run.sql(state, (session) => putBack(state, run, session), state));
  },
};

async function converge(
  inputs: ReplicaIdentityInputs,
  run: Run,
  session: Session,
): Promise<ReplicaIdentityOutputs> {
  const { publication } = inputs;
  const before = await session.catalog();
  preflight([...serverFindings(before), ...selectionFindings(select(before, inputs))]);
  await ensureRecord(session, before, publication, markOf(session, inputs), run);
  run.checkpoint();

  // Event triggers that are there are adapted first: no table that leaves may be tracked again.
  const watched = hasTracking(before, publication);
  const adapted = watched && (await adaptTracking(inputs, session, before, run));
  run.checkpoint();
  const catalog = adapted ? await session.catalog() : before;
  const tracked = await changeTables(inputs, session, catalog, run);
  run.checkpoint();
  // New ones come last: they would look at each of these changes, which takes as long again.
  if (watched || !inputs.trackNewTables || !(await track(inputs, session, before, run)))
    return outputsOf(session, await withIdentities(session, catalog, tracked), inputs);

  // What was created in between is in a fresh catalog, once the transactions have ended that did not see the triggers.
  await waitForOlderWriters(session, LOCK_POLICY.migrationPatience);
  const known = new Set(catalog.tables.map(({ oid }) => oid));
  const fresh = await session.catalog();
  const full = trackedTables(fresh, inputs).flatMap((entry) =>
    entry.full && !known.has(entry.table.oid) ? [entry.table.oid] : [],
  );
  if (full.length > 0)
    await changeIdentities(session, { schema: ownNames(publication).schema, full, restore: [] });
  return outputsOf(session, await withIdentities(session, fresh, full), inputs);
}

/** Makes event triggers, or brings them in line with the selection; says so where our role may not. */
async function track(
  inputs: ReplicaIdentityInputs,
  session: Session,
  catalog: Catalog,
  run: Run,
): Promise<boolean> {
  const { publication } = inputs;
  if (await installTracking(session, catalog, inputs, publication, markOf(session, inputs))) return true;
  if (takesNewTables(inputs))
    run.log("New tables are tracked from the next up on: our role may not create event triggers here.");
  return false;
}

/** Event triggers that are there follow the selection, or go if that is wanted; `true` when they were changed. */
async function adaptTracking(
  inputs: ReplicaIdentityInputs,
  session: Session,
  catalog: Catalog,
  run: Run,
): Promise<boolean> {
  const { publication, trackNewTables } = inputs;
  if (trackNewTables) return track(inputs, session, catalog, run);
  if (reliesOnTracking(catalog, publication)) return false;
  await removeTracking(session, catalog, publication);
  return true;
}

/** Sets the identities of what is tracked, and gives back those of what no longer is. The oids of what is tracked. */
async function changeTables(
  inputs: ReplicaIdentityInputs,
  session: Session,
  catalog: Catalog,
  run: Run,
): Promise<number[]> {
  const { publication } = inputs;
  const tracked = trackedTables(catalog, inputs);
  const full = tracked.filter((entry) => entry.full).map(({ table }) => table.oid);
  const others = await readRecord(session, publication, full);
  const restore = planRestore(catalog, tracked, others, publication);
  const open =
    tracked.filter((entry) => entry.full && entry.table.identity !== "full").length + restore.length;
  if (open >= MANY) run.log(`Changing the replica identity of ${open} tables, one at a time.`);
  await handOver(session, catalog, publication, restore);
  const changes = await changeIdentities(
    session,
    { schema: ownNames(publication).schema, full, restore },
    (left) => {
      run.log(`${open - left} of ${open} replica identities are changed.`);
    },
  );
  logChanges(changes, catalog, run);
  return tracked.map(({ table }) => table.oid);
}

function outputsOf(
  session: Session,
  catalog: Catalog,
  inputs: ReplicaIdentityInputs,
): ReplicaIdentityOutputs {
  const tracked = trackedTables(catalog, inputs);
  const pending = tracked.flatMap(({ table, because }) =>
    because === undefined ? [] : [{ table, because }],
  );
  return {
    ...recordedTarget(session.target),
    wanted: tracked.length,
    done: tracked.length - pending.length,
    fingerprint: fingerprint(tracked.map(({ table }) => ({ table, state: table.identity }))),
    pending: describePending(pending),
    newTables: newTablesMode(catalog, inputs.publication, inputs, inputs.trackNewTables),
  };
}

/** What the next up will do something about. */
function driftOf(catalog: Catalog, state: State): Drift {
  const { publication } = state;
  const tracked = trackedTables(catalog, state);
  const notFull = tracked.filter(({ table, full }) => full && table.identity !== "full");
  const broken = brokenByIdentity(catalog, tracked, publication);
  const triggers = tracksNewTables(catalog, publication);
  const drift: Record<string, string> = {};
  const names = (entries: typeof tracked): string =>
    firstFew(entries.map(({ table }) => formatTableName(table)));
  if (notFull.length > 0) drift["replica identity not full"] = names(notFull);
  if (broken.length > 0) drift["writes refused"] = names(broken);
  if (!hasRecord(catalog, publication)) drift["record of previous identities"] = "missing";
  if (state.trackNewTables && state.newTables === "event trigger" && !triggers)
    drift["event triggers"] = "missing or disabled";
  if (!state.trackNewTables && triggers && !reliesOnTracking(catalog, publication))
    drift["event triggers"] = "still there";
  return drift;
}

/** Tables that left the selection while somebody kept them locked. */
async function leftoverDrift(session: Session, catalog: Catalog, state: State): Promise<Drift> {
  const { publication } = state;
  if (!hasRecord(catalog, publication)) return {};
  const tracked = trackedTables(catalog, state);
  const selected = tracked.map(({ table }) => table.oid);
  let others: number[];
  try {
    others = await readRecord(session, publication, selected);
  } catch (error) {
    if (!hasCode(error, "42P01", "3F000")) throw error;
    // A destroy was killed, and the server has gone on to drop the record since the catalog was read.
    return { "record of previous identities": "missing" };
  }
  const byOid = tablesByOid(catalog);
  const left = planRestore(catalog, tracked, others, publication).filter(
    (oid) => byOid.get(oid)?.identity === "full",
  );
  return left.length === 0 ? {} : { "replica identity not given back": nameTables(catalog, left) };
}

async function putBack(state: State, run: Run, session: Session): Promise<void> {
  const { publication } = state;
  const { schema } = ownNames(publication);
  const catalog = await session.catalog();
  const existing = catalog.schemas.find(({ name }) => name === schema);
  if (existing === undefined || !madeByResource(existing.comment, markOf(session, state))) {
    run.log(
      `Replica identities stay as they are: the record of what they were, schema ${schema}, is ${existing === undefined ? "gone" : "not ours"}.`,
    );
    return;
  }
  // First: alive, the triggers would set every table that is put back to FULL again.
  await removeTracking(session, catalog, publication);
  run.checkpoint();
  if (hasRecord(catalog, publication)) {
    let restored: readonly number[];
    // Again, if a migration was open until now that has put a table of its own into the record.
    do {
      restored = await restoreAll(state, run, session, catalog);
      run.checkpoint();
      // An up that was killed may have left a publication that no state knows of. What it publishes keeps its identity,
      // and the record stays for the destroy that follows the next up.
      const left = ownPublication(catalog, publication) ? await readRecord(session, publication, []) : [];
      if (left.length > 0) {
        run.log(
          `The replica identity of ${left.length} tables stays FULL: an interrupted up left the publication ${publication}, which publishes them. Run up, then destroy again.`,
        );
        return;
      }
    } while (!(await dropRecord(session, publication, restored)));
  }
  await dropSchema(session, publication, run);
}

/** Gives all tables in the record back what they had. Their oids. */
async function restoreAll(
  { publication }: State,
  run: Run,
  session: Session,
  catalog: Catalog,
): Promise<readonly number[]> {
  const restore = await readRecord(session, publication, []);
  await handOver(session, catalog, publication, restore);
  const changes = await changeIdentities(session, {
    schema: ownNames(publication).schema,
    full: [],
    restore,
  });
  logChanges(changes, catalog, run);
  if (changes.locked > 0) {
    const left = await readRecord(session, publication, []);
    throw new UserError(
      `The replica identity of ${changes.locked} tables could not be put back, as other transactions kept them locked: ${nameTables(catalog, left)}. Run destroy again; what was done stays done.`,
    );
  }
  return restore;
}

function logChanges(changes: IdentityChanges, catalog: Catalog, run: Run): void {
  const tables = new Map(catalog.tables.map((table) => [table.oid, formatTableName(table)]));
  const name = (oid: number): string => tables.get(oid) ?? `table ${oid}`;
  for (const { oid, reason } of changes.refused)
    run.log(`The replica identity of ${name(oid)} stays as it is: ${reason}.`);
  for (const { oid, index } of changes.indexGone)
    run.log(`${name(oid)} has the default replica identity now: the index ${index}, which it used, is gone.`);
}
