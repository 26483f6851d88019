import * as z from "zod";
import { filledList, fitsName, flag, list, objectName, text } from "./values";

/** One part of `schema.table`: in double quotes (`""` for a quote), or anything without a dot and a quote. */
const PART = String.raw`"((?:[^"]|"")+)"|([^".]+)`;

/** `schema.table`; each part is in the first of its two groups if it is quoted, and otherwise in the second. */
export const TABLE_NAME = new RegExp(`^(?:${PART})\\.(?:${PART})$`, "u");

/** `schema.table`, as {@link TABLE_NAME} reads it. */
export const tableName = text()
  .regex(
    TABLE_NAME,
    'must be a table name with its schema, such as "public.orders"; a part with a dot or a quote in it goes in double quotes',
  )
  .refine(partsFit, "must have a schema and a table name of at most 63 bytes each, without a NUL character");

/** Whether both parts fit. Text that is no table's name is reported for that, and counts as one that fits. */
function partsFit(name: string): boolean {
  const [, ...parts] = TABLE_NAME.exec(name) ?? [];
  return parts.every((part: string | undefined) => fitsName((part ?? "").replaceAll('""', '"')));
}

/** Which tables are tracked. Exactly one of the first three is given; see {@link oneSelection}. */
export const selection = {
  schemas: filledList(objectName()).optional().meta({
    description: "Every table of these schemas. Excludes `tables` and `allTables`.",
    whenOmitted: "none",
  }),
  tables: filledList(tableName).optional().meta({
    description:
      "Exactly these tables, as `schema.table`, literal and case-sensitive; a part that contains a dot goes in double quotes. A partitioned table brings its partitions, and any table those that inherit from it. Excludes `schemas` and `allTables`.",
    whenOmitted: "none",
  }),
  allTables: z.literal(true, "can only be true: leave it out, and use schemas or tables").optional().meta({
    description: "Every table of the database. Excludes `schemas` and `tables`.",
    whenOmitted: "none",
  }),
  // An empty list is allowed, because programs compute it, and means the same as no list.
  excludeTables: list(tableName).optional().meta({
    description:
      "Tables to leave out, written as in `tables`: they are not published and their replica identity stays as it is. Exclusion goes by name: a copy under another name is tracked.",
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

/** For `refine` of the component's inputs: without any, it tracks the default schemas. */
export function atMostOneSelection(value: object): boolean {
  return givenSelections(value).length <= 1;
}

/** What is said where a check of the selection fails; see {@link oneSelection} and {@link atMostOneSelection}. */
export const ONE_SELECTION = {
  error: ({ input }: { readonly input?: unknown }): string => {
    const given = isObject(input) ? givenSelections(input) : [];
    return given.length < 2
      ? "give exactly one of schemas, tables and allTables"
      : `${given.join(" and ")} exclude each other: give one of them`;
  },
  // Also where other fields are wrong, so that all mistakes are reported at once.
  when: ({ value }: { readonly value: unknown }): boolean => isObject(value),
  params: { together: [...CHOICES] },
};

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
