import * as z from "zod";

/** Outputs that more than one kind reports. */

export const newTables = z.enum(["event trigger", "next up", "not tracked"]).meta({
  description: "How new tables are taken in: at once by an event trigger, by the next `up`, or not at all.",
});

// Coarse on purpose: what moves all the time, such as the lag, would make every refresh a change.
export const slotState = z.enum(["not created yet", "active", "inactive", "lost"]).meta({
  description:
    'State of the replication slot. `"lost"`: the server has removed WAL that the consumer still needed, so the slot is of no use any more.',
});

/** Of the kinds that make an object which carries an ownership mark. */
export const ownershipId = z.string().optional().meta({
  description:
    "Id in the ownership mark on the object. It tells the resource's own object, whatever stack, project or component are called; not set before the resource has written its mark, as after an import.",
});
