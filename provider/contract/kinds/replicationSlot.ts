import * as z from "zod";
import { define } from "../definition";
import { existingRole, slotName } from "../fields/names";
import { slotState } from "../fields/states";
import { databaseTarget, recordedTarget } from "../fields/target";
import { flag } from "../fields/values";

export const replicationSlotInputs = z.strictObject({
  ...databaseTarget,
  name: slotName,
  role: existingRole.meta({
    description: "The role whose consumer uses the slot. On destroy only connections of this role are ended.",
  }),
  dropOnDestroy: flag().default(false).meta({
    description:
      "Stops the consumer and drops the slot on destroy, unless the slot existed before this resource. A slot that stays holds back WAL; a line of the destroy says so.",
  }),
});

export const replicationSlotOutputs = z.object({
  state: slotState,
  existedBefore: z.boolean().optional().meta({
    description:
      "Whether a slot of this name existed when the resource was created, so that others may need it: it is kept on destroy, also with `dropOnDestroy`.",
  }),
  ...recordedTarget,
});

export const replicationSlotDefinition = define({
  type: "ReplicationSlot",
  description: `Watches the consumer's replication slot. The consumer makes the slot; this resource never does.`,
  inputs: replicationSlotInputs,
  outputs: replicationSlotOutputs,
  replaceOn: ["projectId", "branch", "database", "name"],
  readBack: ["name"],
});

export type ReplicationSlotInputs = z.output<typeof replicationSlotInputs>;
export type ReplicationSlotOutputs = z.output<typeof replicationSlotOutputs>;
