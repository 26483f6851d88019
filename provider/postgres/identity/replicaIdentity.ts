import type { Catalog } from "../../contract/catalog";
import { replicaIdentityInputs, type ReplicaIdentityInputs } from "../../contract/inputs";
import type { Drift, Kind } from "../../contract/kind";
import type { ReplicaIdentityOutputs } from "../../contract/outputs";
import type { Session } from "../../contract/session";
import { recorded as recordedTarget } from "../../contract/target";
import { firstFew } from "../../contract/wording";
import { nameTables, tablesByOid } from "../catalog/tableIndex";
import { formatTableName } from "../catalog/tableNames";
import { databaseObjectMark } from "../ownership/mark";
import { unlessGone } from "../session/gone";
import { hasCode } from "../sql/sqlError";
import { newTablesMode, tracksNewTables } from "../tracking/state";
import { converge } from "./converge";
import { planReplicaIdentity } from "./plan";
import { hasRecord, readRecord } from "./record";
import { remove } from "./remove";
import { describePending, fingerprint } from "./summary";
import { brokenByIdentity, trackedTables } from "./trackedTables";

type State = ReplicaIdentityInputs & Partial<ReplicaIdentityOutputs>;

/**
 * The replica identity FULL of all tracked tables, so that every change is captured with the whole row before it. The
 * identity that each table had before is recorded in the database. It is given back on destroy, or when the table is no
 * longer tracked. If the table is still published then, the publication gives it back after taking the table out,
 * because PostgreSQL refuses UPDATE and DELETE of a published table without a key unless its identity is FULL.
 */
export const replicaIdentity: Kind<ReplicaIdentityInputs, ReplicaIdentityOutputs> = {
  name: "replicaIdentity",
  inputs: replicaIdentityInputs,
  replaceOn: ["publication"],
  id: ({ database, publication }) => `${database}/${publication}/replica-identity`,

  create: (inputs, run) =>
    run.sql(inputs, async (session) => outputsOf(session, await converge(inputs, run, session), inputs)),

  update: (state, inputs, run) =>
    run.sql(
      inputs,
      async (session) => outputsOf(session, await converge(inputs, run, session), inputs),
      state,
    ),

  read: (state, run) =>
    unlessGone(() =>
      run.sql(
        state,
        async (session) => {
          const catalog = await session.catalog();
          return {
            outputs: outputsOf(session, catalog, state),
            drift: await driftOf(session, catalog, state),
          };
        },
        state,
      ),
    ),

  async delete(state, run) {
    await unlessGone(() => run.sql(state, (session) => remove(state, run, session), state));
  },
};

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

/** What the next up will do something about: differences that its plan names, in the user's words. */
async function driftOf(session: Session, catalog: Catalog, state: State): Promise<Drift> {
  const { publication } = state;
  const drift: Record<string, string> = {};
  const tracked = trackedTables(catalog, state);
  const full = tracked.flatMap((entry) => (entry.full ? [entry.table.oid] : []));
  const recorded = await recordedBeside(session, catalog, publication, full);
  if (recorded === undefined || !hasRecord(catalog, publication))
    drift["record of previous identities"] = "missing";

  for (const step of planReplicaIdentity(catalog, state, recorded ?? [], databaseObjectMark(session, state)))
    switch (step.step) {
      case "set replica identity full":
        if (step.changing.length > 0)
          drift["replica identity not full"] = firstFew(step.changing.map(formatTableName));
        break;
      case "restore replica identity": {
        // Tables that left the selection while somebody kept them locked. Writes of selected ones are reported below.
        const selected = new Set(tracked.map(({ table }) => table.oid));
        const left = step.tables.filter(
          (oid) => !selected.has(oid) && tablesByOid(catalog).get(oid)?.identity === "full",
        );
        if (left.length > 0) drift["replica identity not given back"] = nameTables(catalog, left);
        break;
      }
      case "drop event triggers":
        drift["event triggers"] = "still there";
        break;
      default:
    }
  const broken = brokenByIdentity(catalog, tracked, publication);
  if (broken.length > 0)
    drift["writes refused"] = firstFew(broken.map(({ table }) => formatTableName(table)));
  if (state.trackNewTables && state.newTables === "event trigger" && !tracksNewTables(catalog, publication))
    drift["event triggers"] = "missing or disabled";
  return drift;
}

/**
 * Oids of the tables in the record beside `full`; `undefined` when the record was dropped since the catalog was read.
 */
async function recordedBeside(
  session: Session,
  catalog: Catalog,
  publication: string,
  full: readonly number[],
): Promise<number[] | undefined> {
  try {
    return await readRecord(session, catalog, publication, full);
  } catch (error) {
    // A destroy was killed, and the server has gone on with its last statement.
    if (hasCode(error, "42P01", "3F000")) return undefined;
    throw error;
  }
}
