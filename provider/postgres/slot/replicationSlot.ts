import { UserError } from "../../contract/errors";
import { replicationSlotInputs, type ReplicationSlotInputs } from "../../contract/inputs";
import type { Kind, Run } from "../../contract/kind";
import type { ReplicationSlotOutputs } from "../../contract/outputs";
import { recorded } from "../../contract/target";
import type { Catalog, SlotFacts } from "../../contract/catalog";
import { endConnections, shutOut, withRightsOf } from "../role/consumer";
import { unlessGone } from "../session/gone";
import { parseMark } from "../ownership/mark";
import type { Session } from "../../contract/session";
import { dropSlot } from "./drop";
import { quoteLiteral } from "../sql/quote";

type State = ReplicationSlotInputs & Partial<ReplicationSlotOutputs>;

/**
 * The replication slot of Bemi's consumer. The consumer makes it when it first connects; this only watches it, and
 * drops it on destroy where asked for. A slot that nobody reads holds back write-ahead log.
 */
export const replicationSlot: Kind<ReplicationSlotInputs, ReplicationSlotOutputs> = {
  name: "replicationSlot",
  inputs: replicationSlotInputs,
  replaceOn: ["projectId", "branch", "database", "name"],
  id: ({ database, name }) => `${database}/${name}/slot`,

  create: (inputs, run) => run.sql(inputs, watch(inputs)),

  update: (state, inputs, run) => run.sql(inputs, watch(inputs), state),

  read: (state, run) => unlessGone(async () => ({ outputs: await run.sql(state, watch(state), state) })),

  delete: async (state, run) => {
    await unlessGone(() => run.sql(state, (session) => remove(session, state, run), state));
  },
};

/** Coarse on purpose: what changes all the time would make every refresh a change. */
export function slotState(catalog: Catalog, name: string): ReplicationSlotOutputs["state"] {
  const slot = find(catalog, name);
  if (slot === undefined) return "not created yet";
  if (slot.walStatus === "lost") return "lost";
  return slot.active ? "active" : "inactive";
}

function watch({ name }: ReplicationSlotInputs) {
  return async (session: Session): Promise<ReplicationSlotOutputs> => ({
    ...recorded(session.target),
    state: slotState(await session.catalog(), name),
  });
}

async function remove(session: Session, { name, role, dropOnDestroy }: State, run: Run): Promise<void> {
  const catalog = await session.freshCatalog();
  const slot = find(catalog, name);
  if (slot === undefined) return;
  const kept = reasonToKeep(slot, session, role, dropOnDestroy);
  if (kept !== undefined) {
    run.log(
      `Replication slot ${name} stays, because ${kept}. ${held(slot)} To drop it, stop its consumer and run: SELECT pg_drop_replication_slot(${quoteLiteral(name)})`,
    );
    return;
  }
  const { server } = catalog;
  if (!server.currentRoleIsSuperuser && !server.currentRoleMayReplicate)
    throw new UserError(
      `Replication slot "${name}" cannot be dropped by ${server.currentRole}, which lacks REPLICATION. Drop it as a role that has it, or set dropSlotOnDestroy to false.`,
    );
  run.checkpoint();
  const consumer = catalog.roles.find((facts) => facts.name === role);
  if (consumer === undefined) {
    await dropSlot(session, name, role);
    return;
  }
  // Only a role of our own is shut out: it is dropped next. Others keep what they have, also if this run is killed.
  const ours = parseMark(consumer.comment) !== undefined;
  if (ours) await shutOut(session, consumer);
  await withRightsOf(session, role, async () => {
    // One that is connected, and not reading yet, would make the slot anew.
    if (ours) await endConnections(session, role);
    await dropSlot(session, name, role);
  });
}

function reasonToKeep(
  slot: SlotFacts,
  session: Session,
  role: string,
  dropOnDestroy: boolean,
): string | undefined {
  if (!dropOnDestroy) return "dropSlotOnDestroy is false";
  const here = session.target.database.name;
  if (slot.database !== here)
    return `it belongs to ${slot.database === null ? "no database" : `database ${slot.database}`}`;
  if (slot.active && slot.activeRole !== role)
    return `role ${slot.activeRole ?? "(unknown)"} uses it, not ${role}`;
  return undefined;
}

function held({ retainedBytes }: SlotFacts): string {
  const amount = retainedBytes === null ? "" : ` (${Math.ceil(retainedBytes / 1_048_576)} MB now)`;
  return `While nobody reads it, it holds back write-ahead log${amount}.`;
}

function find(catalog: Catalog, name: string): SlotFacts | undefined {
  return catalog.slots.find((slot) => slot.name === name);
}
