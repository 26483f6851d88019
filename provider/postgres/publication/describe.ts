import type { Catalog } from "../../contract/catalog";
import { covers, membersOf, publishes } from "../catalog/membership";
import { tablesByOid } from "../catalog/tableIndex";
import { compareNames, tablesSentence } from "../catalog/tableNames";
import { describeRestored } from "../identity/describe";
import { toRestore } from "../identity/hypothetical";
import type { FormerIdentity } from "../identity/claim";
import { describeLeftByHand } from "../ownership/handMade";
import { adoptedFrom } from "./adoption";
import { findPublication, type PublicationStep } from "./plan";

/**
 * What the steps change, a sentence each.
 *
 * @param previous what the record says of the tables that are to be restored, by oid
 */
export function describeChanges(
  catalog: Catalog,
  steps: readonly PublicationStep[],
  name: string,
  previous: ReadonlyMap<number, FormerIdentity>,
): string[] {
  return steps.flatMap((step): string[] => {
    switch (step.step) {
      case "create publication":
        return [`The publication ${name} is created.`];
      case "comment on publication":
        return [`The ownership mark on the publication ${name} is renewed.`];
      case "adopt publication":
        return [
          adoptedFrom(step.comment) === undefined
            ? `The publication ${name}, a copy of one that this module made, is taken over; destroy drops it.`
            : `The publication ${name} is adopted; destroy gives it back as it is now.`,
          ...optional(adoptedFrom(step.comment) && describeLeftByHand(catalog)),
        ];
      case "drop publication":
        return [`The publication ${step.publication.name}, which an interrupted change left, is dropped.`];
      case "replace by list":
        return [
          `The publication ${name}, which is for all tables, is replaced by one that lists its tables, without a gap for its consumer.`,
        ];
      case "set publication options":
        return [`Options of the publication ${name} are set again: ${step.options.join(", ")}.`];
      case "drop and add tables":
        return [
          tablesSentence(
            step.tables,
            "is published with all columns and rows again",
            "are published with all columns and rows again",
          ),
        ];
      case "add tables": {
        const added = `added to the publication ${name}`;
        return [tablesSentence(step.tables, `is ${added}`, `are ${added}`)];
      }
      case "drop tables": {
        const out = `taken out of the publication ${name}`;
        return [
          ...(step.tables.length === 0 ? [] : [tablesSentence(step.tables, `is ${out}`, `are ${out}`)]),
          ...(step.schemas.length === 0
            ? []
            : [
                `The publication ${name} lists its tables instead of these schemas: ${step.schemas.join(", ")}.`,
              ]),
        ];
      }
      case "restore replica identity":
        return describeRestored(toRestore(catalog, step.tables, previous));
      case "drop event triggers":
        return ["The event triggers for new tables are dropped."];
    }
  });
}

function optional(line: string | undefined): string[] {
  return line === undefined ? [] : [line];
}

/**
 * The tables that leave a publication which has published them without listing them: because it is for all tables, or
 * for their schema.
 *
 * @param after the catalog as the steps will leave it
 */
export function describeLeaving(before: Catalog, after: Catalog, name: string): string[] {
  const former = findPublication(before, name);
  const next = findPublication(after, name);
  if (former === undefined || next === undefined || (!former.allTables && former.schemas.length === 0))
    return [];
  const [byOid, byOidAfter] = [tablesByOid(before), tablesByOid(after)];
  const listed = new Set(membersOf(before, name).map(({ oid }) => oid));
  const leaving = before.tables.filter(
    (table) =>
      table.persistence === "permanent" &&
      !listed.has(table.oid) &&
      publishes(former, table, byOid) &&
      !covers(next, byOidAfter.get(table.oid) ?? table, byOidAfter),
  );
  if (leaving.length === 0) return [];
  const out = `no longer published by ${name}`;
  return [tablesSentence([...leaving].sort(compareNames), `is ${out}`, `are ${out}`)];
}
