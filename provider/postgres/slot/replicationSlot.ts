import { BEMI } from "../../contract/fields/names";
import { parseImportId } from "../../contract/importId";
import {
  type ReplicationSlotInputs,
  type ReplicationSlotOutputs,
  replicationSlotDefinition,
} from "../../contract/kinds/replicationSlot";
import type { Kind, Run } from "../../contract/kind";
import { execute } from "../../contract/plan";
import { recorded } from "../../contract/target";
import type { Catalog } from "../../contract/catalog";
import { disableLogin, endConnections, withRightsOf } from "../role/consumer";
import { unlessGone } from "../session/gone";
import type { Session } from "../../contract/session";
import { dropSlot } from "./drop";
import { describeForeign, findSlot, planDrop, type SlotStep } from "./plan";

type State = ReplicationSlotInputs & Partial<ReplicationSlotOutputs>;

/**
 * The replication slot of Bemi's consumer. The consumer makes the slot when it first connects. This resource only
 * watches it, and drops it on destroy if the inputs ask for it. A slot that nobody reads holds back write-ahead log.
 */
export const replicationSlot: Kind<ReplicationSlotInputs, ReplicationSlotOutputs> = {
  definition: replicationSlotDefinition,
  id: ({ database, name }) => `${database}/${name}/slot`,

  plan: (inputs, run, state) =>
    run.sql(
      inputs,
      async (session) => {
        const catalog = await run.forecast(session);
        const found = findSlot(catalog, inputs.name);
        return {
          outputs: outputsOf(session, catalog, inputs),
          changes: found === undefined ? [] : describeForeign(found, inputs, session.target.database.name),
        };
      },
      state,
    ),

  create: (inputs, run) => run.sql(inputs, watch(inputs)),

  update: (state, inputs, run) => run.sql(inputs, watch(inputs), state),

  read: (state, run) => unlessGone(async () => ({ outputs: await run.sql(state, watch(state), state) })),

  delete: async (state, run, replaced = false) => {
    await unlessGone(() => run.sql(state, (session) => remove(session, state, run, replaced), state));
  },

  find: async (id, run) => {
    const { name, ...target } = parseImportId(id, replicationSlotDefinition.type);
    const catalog = await run.sql(target, (session) => session.catalog());
    const slot = findSlot(catalog, name);
    if (slot?.database !== target.database) return undefined;
    return { inputs: { ...target, name, role: slot.activeRole ?? BEMI }, outputs: {} };
  },
};

/** The state of the slot. Coarse on purpose: an output that moves all the time would make every refresh a change. */
export function slotState(catalog: Catalog, name: string): ReplicationSlotOutputs["state"] {
  const slot = findSlot(catalog, name);
  if (slot === undefined) return "not created yet";
  if (slot.walStatus === "lost") return "lost";
  return slot.active ? "active" : "inactive";
}

function watch(inputs: ReplicationSlotInputs) {
  return async (session: Session): Promise<ReplicationSlotOutputs> =>
    outputsOf(session, await session.catalog(), inputs);
}

function outputsOf(
  session: Session,
  catalog: Catalog,
  { name }: ReplicationSlotInputs,
): ReplicationSlotOutputs {
  return { ...recorded(session.target), state: slotState(catalog, name) };
}

async function remove(session: Session, state: State, run: Run, replaced: boolean): Promise<void> {
  // Consumers connect and disconnect at any time, so the cached catalog is too old to decide from.
  const steps = planDrop(await session.freshCatalog(), state, session.target.database.name, replaced);
  await execute<SlotStep>(
    steps,
    {
      "keep slot": ({ says }) => {
        run.log(says);
        return Promise.resolve();
      },
      "disable login": ({ role }) => disableLogin(session, role),
      "drop slot": ({ slot, role, disconnects }) =>
        disconnects === "nobody"
          ? dropSlot(session, slot, role)
          : withRightsOf(session, role, async () => {
              if (disconnects === "all connections of the role") await endConnections(session, role);
              await dropSlot(session, slot, role);
            }),
    },
    run,
  );
}
