import { z } from "zod";
import { filledList, filledText, flag, list, text } from "./values";

const tableName = text().min(3, 'must be a table name such as "public.orders"');

/** Which tables are tracked. Exactly one of the first three is given; see {@link oneSelection}. */
export const selection = {
  schemas: filledList(filledText()).optional().meta({
    description: "Every table of these schemas. Excludes `tables` and `allTables`.",
    whenOmitted: "none",
  }),
  tables: filledList(tableName).optional().meta({
    description:
      "Exactly these tables, as `schema.table`, literal and case-sensitive; a part that contains a dot goes in double quotes. A partitioned table brings its partitions. Excludes `schemas` and `allTables`.",
    whenOmitted: "none",
  }),
  allTables: z.literal(true, "can only be true: leave it out, and use schemas or tables").optional().meta({
    description: "Every table of the database. Excludes `schemas` and `tables`.",
    whenOmitted: "none",
  }),
  // An empty list is allowed, because programs compute it, and means the same as no list.
  excludeTables: list(tableName).optional().meta({
    description:
      "Tables to leave out, written as in `tables`: they are not published and their replica identity stays as it is.",
    whenOmitted: "none",
  }),
};

/** One declaration for every kind that has it as an argument. */
export const trackNewTables = flag().default(true).meta({
  description:
    "Tracks new tables from their first row, by an event trigger, where the server allows one. Otherwise, and with `false`, the next `up` takes them in.",
});

/** The arguments that exclude one another. */
const CHOICES = ["schemas", "tables", "allTables"] as const;

/** Which of the arguments that exclude one another are given. */
export function givenSelections(value: object): string[] {
  const given = new Map<string, unknown>(Object.entries(value));
  return CHOICES.filter((key) => given.get(key) !== undefined);
}

/** For `refine` of a kind's inputs. */
export function oneSelection(value: object): boolean {
  return givenSelections(value).length === 1;
}

export const ONE_SELECTION = { error: "give exactly one of schemas, tables and allTables" };
