import * as z from "zod";
import { tableName } from "./selection";
import { choice, group } from "./values";

/** The replica identities that a tracked table can be given. */
export const identityOfTable = choice(["full", "primaryKey"]);

/** The replica identity that one table is asked to have. */
export type IdentityOfTable = z.output<typeof identityOfTable>;

/** `"public.documents": "primaryKey"`: tables by name, each with its choice. */
const tables = z.record(tableName, identityOfTable, {
  error: (issue) =>
    issue.code === "invalid_key"
      ? issue.issues[0]?.message
      : 'must be an object such as {"public.documents":"primaryKey"}',
});

const DESCRIPTION =
  'Which replica identity the tracked tables get. A table with `"primaryKey"` needs a primary key that is not deferrable, or an index that it uses as replica identity already. Otherwise its UPDATEs and DELETEs would fail, so the preview refuses it.';

/** The fields of the argument `identity`. */
export const identityFields = group({
  default: identityOfTable.default("full").meta({
    description:
      '`"full"` sets REPLICA IDENTITY FULL: every change carries the whole row as it was before. `"primaryKey"` leaves the identity of a table alone: its changes carry only the key of the row before, without the cost of FULL.',
  }),
  tables: tables.optional().meta({
    description:
      "The choice for single tables, written as in the argument `tables`, e.g. `public.documents`. The name of a partitioned table stands for its partitions; one that a partition has itself comes first.",
    whenOmitted: "none: `default` is for all of them",
  }),
}).meta({ description: DESCRIPTION, typeName: "IdentityArgs" });

/** Which replica identity the tracked tables get. One declaration for every kind that has it as an argument. */
export const identity = identityFields.optional().meta({
  description: DESCRIPTION,
  whenOmitted: 'every tracked table gets `"full"`',
});
