import type { Catalog, TableFacts } from "../../contract/catalog";
import { compareNames, formatTableName, tablesSentence } from "../catalog/tableNames";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { compareMarks, describeMark } from "../ownership/mark";
import { LOCK_VIEW } from "../record/lines";
import { hasLockView, moduleSchema, ownModuleSchema } from "../record/moduleSchema";
import { mayCreateTriggers, tracksNewTables } from "../tracking/state";
import { toRestore, type IdentityCircumstances } from "./hypothetical";
import { changedMeanwhile, claimOf } from "./claim";
import type { PreparationStep, TableStep } from "./plan";
import { keepsKey, trackedTables } from "./trackedTables";

/** What the steps change, a sentence each. A step that changes nothing, as most do when they are repeated, has none. */
export function describeChanges(
  catalog: Catalog,
  steps: readonly (PreparationStep | TableStep)[],
  circumstances: IdentityCircumstances,
): string[] {
  const { publication, previous } = circumstances;
  const lines = steps.flatMap((step): string[] => {
    switch (step.step) {
      case "claim tables":
        return [...describeClaim(catalog, step, circumstances), ...describeKept(catalog, step, publication)];
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
  return [
    ...lines,
    ...steps.flatMap((step) => (step.step === "claim tables" ? describeFullBefore(catalog, step) : [])),
  ];
}

/** The sentence for tables that were FULL before the trail; none without a table. */
function describeFullBefore(catalog: Catalog, { before, after }: Omit<ClaimStep, "step">): string[] {
  const known = new Set(before.previous.map(({ oid }) => oid));
  const kept = new Set(
    after.previous.flatMap(({ oid, identity }) => (identity === "full" && !known.has(oid) ? [oid] : [])),
  );
  if (kept.size === 0) return [];
  const tables = catalog.tables.filter(({ oid }) => kept.has(oid)).sort(compareNames);
  const what = "the replica identity FULL already";
  return [
    tablesSentence(tables, `has ${what}, and keeps it on destroy`, `have ${what}, and keep it on destroy`),
  ];
}

type ClaimStep = Extract<PreparationStep, { readonly step: "claim tables" }>;

/** What the claim changes, as far as a user can see it. */
export function describeClaim(
  catalog: Catalog,
  { before, after }: Omit<ClaimStep, "step">,
  { publication, mark, lost }: Pick<IdentityCircumstances, "publication" | "mark" | "lost">,
): string[] {
  const lines: string[] = [];
  const own = claimOf(before, publication);
  if (lost) lines.push(recordLost(publication));
  else if (ownModuleSchema(catalog) === undefined) {
    const made =
      moduleSchema(catalog) === undefined
        ? "is created"
        : "exists, without a mark and with nothing of others in it: it is taken over";
    lines.push(`The schema ${MODULE_SCHEMA} ${made}, for the record of the tables' previous identities.`);
  } else if (!hasLockView(catalog))
    lines.push(`The view ${MODULE_SCHEMA}.${LOCK_VIEW}, which guards the record, is gone. It is made again.`);
  if (own !== undefined) {
    const owner = compareMarks(own, mark);
    const taken = claimOf(after, publication);
    if (owner !== "ours")
      lines.push(
        `The record in schema ${MODULE_SCHEMA} ${describeMark(owner, own, mark)}; it is taken over.`,
      );
    else if (own.managedBy !== taken?.managedBy || own.branchId !== taken.branchId)
      lines.push(`The ownership mark in the record of schema ${MODULE_SCHEMA} is renewed.`);
  }
  for (const { table, identity } of changedMeanwhile(before, after, catalog))
    lines.push(
      `The replica identity of ${formatTableName(table)} was changed since the last run. It is tracked again; destroy gives it back ${WORDS[identity]}.`,
    );
  return lines;
}

/** The tables that keep their key as identity, when the selection or the argument `identity` changes. */
function describeKept(
  catalog: Catalog,
  { before, after }: Pick<ClaimStep, "before" | "after">,
  publication: string,
): string[] {
  const [was, wanted] = [before, after].map((record) => claimOf(record, publication)?.selections.at(-1));
  if (wanted === undefined || JSON.stringify(was) === JSON.stringify(wanted)) return [];
  const kept = trackedTables(catalog, wanted)
    .filter((entry) => keepsKey(entry) && entry.table.identity !== "full")
    .map(({ table }) => table);
  const what = "as replica identity, so the row before a change is not captured";
  return kept.length === 0 ? [] : [tablesSentence(kept, `keeps its key ${what}`, `keep their key ${what}`)];
}

const WORDS = { default: "DEFAULT", nothing: "NOTHING", index: "USING INDEX", full: "FULL" } as const;

/** The line for a trail whose claim somebody has removed. */
export function recordLost(publication: string): string {
  return `The record of previous replica identities, in schema ${MODULE_SCHEMA}, knows nothing of publication ${publication} any more. It is made again, as if every tracked table that is FULL had been DEFAULT before. If somebody has dropped the schema, the event triggers went with it, and tables that were created since are tracked only now.`;
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
