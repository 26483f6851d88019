import { list, text } from "./values";

/** One declaration for every kind whose tables the migrations of a trail may make. */
export const afterMigrations = list(text()).optional().meta({
  description:
    "Stands for the migrations that run before this resource. After a change, `up` reads the catalog again when they have run, and a preview accepts tables and schemas that do not exist yet. `BemiAuditTrail` gives it.",
  whenOmitted: "no migrations run before it",
  triggerOnly: true,
});
