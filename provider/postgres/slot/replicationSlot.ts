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
import {
  describeOtherUser,
  existsBefore,
  findUsableSlot,
  planDrop,
  refuseForeignSlot,
  type SlotStep,
} from "./plan";

type State = ReplicationSlotInputs & Partial<ReplicationSlotOutputs>;

/**
 * The replication slot of Bemi's consumer. The consumer makes the slot when it first connects. This resource only
 * watches it, and drops it on destroy if the inputs ask for it. A slot that nobody reads holds back write-ahead log.
 */
export const replicationSlot: Kind<ReplicationSlotInputs, ReplicationSlotOutputs> = {
  definition: replicationSlotDefinition,
  id: ({ database, name }) => `${database}/${name}/slot`,

  plan: (inputs, run, state, replaces, others) =>
    run.sql(
      inputs,
      async (session) => {
        const catalog = await run.forecast(session);
        const database = session.target.database.name;
        refuseForeignSlot(catalog, inputs.name, database, replaces);
        const found = findUsableSlot(catalog, inputs.name, database);
        return {
          outputs: outputsOf(session, catalog, inputs, state ?? others?.[0]),
          changes: found === undefined ? [] : describeOtherUser(found, inputs),
        };
      },
      state,
    ),

  // Whether the slot existed before is known to the resource that watched it first.
  create: (inputs, run, replaces, others) =>
    run.sql(inputs, (session) => watch(session, inputs, { replaces, state: others?.[0] })),

  update: (state, inputs, run) => run.sql(inputs, (session) => watch(session, inputs, { state }), state),

  read: (state, run) =>
    unlessGone(async () => ({
      outputs: await run.sql(
        state,
        async (session) => outputsOf(session, await session.catalog(), state, state),
        state,
      ),
    })),

  delete: async (state, run, replaced = false, others = []) => {
    if (others.length > 0) {
      run.log(`Replication slot ${state.name} stays: another resource of this stack is about the same slot.`);
      return;
    }
    await unlessGone(() => run.sql(state, (session) => remove(session, state, run, replaced), state));
  },

  find: async (id, run) => {
    const { name, ...target } = parseImportId(id, replicationSlotDefinition.type);
    const catalog = await run.sql(target, (session) => session.catalog());
    const slot = findUsableSlot(catalog, name, target.database);
    if (slot === undefined) return undefined;
    return { inputs: { ...target, name, role: slot.activeRole ?? BEMI }, outputs: {} };
  },
};

/**
 * The state of the consumer's slot; a foreign slot of its name does not count. Coarse on purpose: an output that moves all
 * the time would make every refresh a change.
 */
export function slotState(catalog: Catalog, name: string, database: string): ReplicationSlotOutputs["state"] {
  const slot = findUsableSlot(catalog, name, database);
  if (slot === undefined) return "not created yet";
  if (slot.walStatus === "lost") return "lost";
  return slot.active ? "active" : "inactive";
}

/** @throws UserError if the consumer can neither use the slot of this name nor make its own */
async function watch(
  session: Session,
  inputs: ReplicationSlotInputs,
  { state, replaces }: { readonly state?: State | undefined; readonly replaces?: State | undefined },
): Promise<ReplicationSlotOutputs> {
  const catalog = await session.catalog();
  refuseForeignSlot(catalog, inputs.name, session.target.database.name, replaces);
  return outputsOf(session, catalog, inputs, state);
}

/** @param state undefined for a create: a slot that exists by now existed before */
function outputsOf(
  session: Session,
  catalog: Catalog,
  inputs: ReplicationSlotInputs,
  state: State | undefined,
): ReplicationSlotOutputs {
  const database = session.target.database.name;
  const found = slotState(catalog, inputs.name, database);
  const existedBefore = state === undefined ? existsBefore(catalog, inputs, database) : state.existedBefore;
  return {
    ...recorded(session.target),
    state: found,
    // Once that slot is gone, the next one is the consumer's.
    ...(existedBefore === undefined ? {} : { existedBefore: existedBefore && found !== "not created yet" }),
  };
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
      "disable login": ({ role }) => disableLogin(session, role, run),
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
