import type { Catalog } from "../../contract/catalog";
import { tablesSentence } from "../catalog/tableNames";
import { describeRestored } from "../identity/describe";
import { toRestore } from "../identity/hypothetical";
import type { FormerIdentity } from "../identity/claim";
import { adoptedFrom } from "./adoption";
import type { PublicationStep } from "./plan";

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
        return [`The publication ${name} is created${step.form === "all tables" ? " for all tables" : ""}.`];
      case "comment on publication":
        return [`The ownership mark on the publication ${name} is renewed.`];
      case "adopt publication":
        return [
          adoptedFrom(step.comment) === undefined
            ? `The publication ${name}, a copy of one that this module made, is taken over; destroy drops it.`
            : `The publication ${name} is adopted; destroy gives it back as it is now.`,
        ];
      case "drop publication":
        return [`The publication ${step.publication.name}, which an interrupted change left, is dropped.`];
      case "change form of publication":
        return [
          step.form === "all tables"
            ? `The publication ${name} is replaced by one for all tables, without a gap for its consumer.`
            : `The publication ${name} is replaced by one that lists its tables, without a gap for its consumer.`,
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
                `The publication ${name} no longer publishes these schemas as a whole: ${step.schemas.join(", ")}.`,
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
