import { replicationSlotInputs, type ReplicationSlotInputs } from "../../contract/inputs";
import type { Kind, Run } from "../../contract/kind";
import type { ReplicationSlotOutputs } from "../../contract/outputs";
import { execute } from "../../contract/plan";
import { recorded } from "../../contract/target";
import type { Catalog } from "../../contract/catalog";
import { disableLogin, endConnections, withRightsOf } from "../role/consumer";
import { unlessGone } from "../session/gone";
import type { Session } from "../../contract/session";
import { dropSlot } from "./drop";
import { findSlot, planDrop, type SlotStep } from "./plan";

type State = ReplicationSlotInputs & Partial<ReplicationSlotOutputs>;

/**
 * The replication slot of Bemi's consumer. The consumer makes the slot when it first connects. This resource only
 * watches it, and drops it on destroy if the inputs ask for it. A slot that nobody reads holds back write-ahead log.
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

/** The state of the slot. Coarse on purpose: an output that moves all the time would make every refresh a change. */
export function slotState(catalog: Catalog, name: string): ReplicationSlotOutputs["state"] {
  const slot = findSlot(catalog, name);
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

async function remove(session: Session, state: State, run: Run): Promise<void> {
  // Consumers connect and disconnect at any time, so the cached catalog is too old to decide from.
  const steps = planDrop(await session.freshCatalog(), state, session.target.database.name);
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
