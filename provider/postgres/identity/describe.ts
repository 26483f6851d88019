import type { Catalog, TableFacts } from "../../contract/catalog";
import { tablesSentence } from "../catalog/tableNames";
import { describeOwnership, ownership } from "../ownership/mark";
import { mayCreateTriggers, tracksNewTables } from "../tracking/state";
import { toRestore, type IdentityCircumstances } from "./hypothetical";
import type { PreparationStep, TableStep } from "./plan";

/** What the steps change, a sentence each. A step that changes nothing, as most do when they are repeated, has none. */
export function describeChanges(
  catalog: Catalog,
  steps: readonly (PreparationStep | TableStep)[],
  circumstances: IdentityCircumstances,
): string[] {
  const { publication, mark, previous } = circumstances;
  return steps.flatMap((step): string[] => {
    switch (step.step) {
      case "create schema":
        return [`The schema ${step.schema} is created, for the record of the tables' previous identities.`];
      case "comment on schema": {
        const owner = ownership(step.comment, mark);
        return owner === "ours"
          ? [`The ownership mark on the schema ${step.schema} is renewed.`]
          : [`The schema ${step.schema} ${describeOwnership(owner, step.comment)}; it is taken over.`];
      }
      case "create record of identities":
        return [`The record of the tables' previous identities is created in the schema ${step.schema}.`];
      case "replace functions of event triggers":
        return tracksNewTables(catalog, publication)
          ? []
          : ["The event triggers for new tables are made complete and enabled."];
      case "create event triggers":
        return describeTracking(mayCreateTriggers(catalog));
      case "drop event triggers":
        return ["The event triggers for new tables are dropped."];
      case "set replica identity full":
        return step.changing.length === 0 ? [] : [describeFull(step.changing)];
      case "restore replica identity":
        return describeRestored(toRestore(catalog, step.tables, previous));
    }
  });
}

function describeTracking(mayCreate: boolean | undefined): string[] {
  if (mayCreate === false) return [];
  const made = "Event triggers are created, which track new tables from their first row";
  const otherwise = "; where our role may not create them, the next up takes new tables in";
  return [`${made}${mayCreate === true ? "" : otherwise}.`];
}

/** The sentence for tables that get back what the record holds; none without a table. */
export function describeRestored(tables: readonly TableFacts[]): string[] {
  if (tables.length === 0) return [];
  const what = "the replica identity of before instead of FULL";
  return [tablesSentence(tables, `gets back ${what}`, `get back ${what}`)];
}

function describeFull(tables: readonly TableFacts[]): string {
  const counts = new Map<string, number>();
  for (const { identity } of tables) {
    const now = identity === "index" ? "USING INDEX" : identity.toUpperCase();
    counts.set(now, (counts.get(now) ?? 0) + 1);
  }
  const now = [...counts].map(([name, count]) => (counts.size === 1 ? name : `${name}: ${count}`)).join(", ");
  const what = "the replica identity FULL";
  return `${tablesSentence(tables, `gets ${what}`, `get ${what}`)} (now ${now})`;
}
