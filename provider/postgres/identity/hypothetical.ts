import type { Catalog, TableFacts } from "../../contract/catalog";
import type { Mark } from "../ownership/mark";
import { withRecord } from "../record/moduleSchema";
import { mayCreateTriggers, withoutTracking, withTracking } from "../tracking/state";
import type { PreparationStep, TableStep } from "./plan";
import type { FormerIdentity } from "./claim";

/** What the steps depend on besides the catalog. */
export interface IdentityCircumstances {
  readonly publication: string;
  readonly mark: Mark;
  /** Whether there is a state, and the record has no claim of it any more. */
  readonly lost: boolean;
  /** What tables get back that are to be restored, by oid. */
  readonly previous: ReadonlyMap<number, FormerIdentity>;
}

/** The catalog as it will be when the steps are done, if every table can be changed. */
export function afterSteps(
  catalog: Catalog,
  steps: readonly (PreparationStep | TableStep)[],
  { publication, mark, previous }: IdentityCircumstances,
): Catalog {
  return steps.reduce((before, step): Catalog => {
    switch (step.step) {
      case "claim tables":
        return withRecord(before, step.after);
      case "replace functions of event triggers":
        return withTracking(before, publication, mark);
      case "create event triggers":
        return mayCreateTriggers(before) === false ? before : withTracking(before, publication, mark);
      case "drop event triggers":
        return withoutTracking(before, publication);
      case "set replica identity full": {
        const changing = new Set(step.changing.map(({ oid }) => oid));
        return mapTables(before, (table) =>
          changing.has(table.oid) ? { ...table, identity: "full", identityIndex: null } : table,
        );
      }
      case "restore replica identity":
        return withRestored(before, step.tables, previous);
    }
  }, catalog);
}

/** The catalog in which these tables have the identity that the record says they had. */
export function withRestored(
  catalog: Catalog,
  oids: readonly number[],
  previous: IdentityCircumstances["previous"],
): Catalog {
  const restored = new Set(toRestore(catalog, oids, previous).map(({ oid }) => oid));
  return mapTables(catalog, (table) =>
    restored.has(table.oid) ? { ...table, ...previous.get(table.oid) } : table,
  );
}

/** Of these tables, those whose identity a restore changes: FULL now, and something else before. */
export function toRestore(
  catalog: Catalog,
  oids: readonly number[],
  previous: IdentityCircumstances["previous"],
): TableFacts[] {
  const wanted = new Set(oids);
  return catalog.tables.filter(
    ({ oid, identity }) =>
      wanted.has(oid) && identity === "full" && (previous.get(oid)?.identity ?? "full") !== "full",
  );
}

function mapTables(catalog: Catalog, map: (table: TableFacts) => TableFacts): Catalog {
  return { ...catalog, tables: catalog.tables.map(map) };
}
