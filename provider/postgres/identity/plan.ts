import { createHash } from "node:crypto";
import type { Catalog, TableFacts } from "../../contract/catalog";
import { formatTableName } from "../catalog/tableNames";
import { select, type Wanted as Selection } from "../selection/selection";
import { publishes } from "../catalog/membership";
import { publishability, type Publishability } from "../catalog/publishability";
import { tablesByOid } from "../catalog/tableIndex";

/** A tracked table, with the decision about its replica identity and its place in the publication. */
export interface TrackedTable extends Publishability {
  readonly table: TableFacts;
}

/** The tables that the selection comes to, in the order of their names, with the decision about each. */
export function trackedTables(catalog: Catalog, selection: Selection): TrackedTable[] {
  return select(catalog, selection).tables.map((table) => ({ table, ...publishability(table, catalog) }));
}

/**
 * Of the tables in the record, those that can get back what they had: they are not to be FULL (any more), and either no
 * longer in the publication or able to stay in it with their key. The others follow when they have left it.
 */
export function planRestore(
  catalog: Catalog,
  tracked: readonly TrackedTable[],
  recorded: readonly number[],
  publication: string,
): number[] {
  const selected = new Map(tracked.map((entry) => [entry.table.oid, entry]));
  const tables = tablesByOid(catalog);
  const published = catalog.publications.find(({ name }) => name === publication);
  return recorded.filter((oid) => {
    const table = tables.get(oid);
    const entry = selected.get(oid);
    if (entry?.full === true) return false;
    if (table === undefined || published === undefined || !publishes(published, table, tables)) return true;
    return entry !== undefined && table.hasPrimaryKey;
  });
}

/** At most ten tables with the reason why they are not as they should be. */
export function describePending(pending: readonly { table: TableFacts; because: string }[]): string[] {
  return pending.slice(0, 10).map(({ table, because }) => `${formatTableName(table)}: ${because}`);
}

/** Changes whenever the set of tables or their condition does. */
export function fingerprint(entries: readonly { table: TableFacts; state: string }[]): string {
  const lines = entries.map(({ table, state }) => `${table.oid}:${state}`).sort();
  return createHash("md5").update(lines.join("\n")).digest("hex");
}

/** Tracked tables whose UPDATEs and DELETEs PostgreSQL refuses now: published, with FULL although it is ruled out. */
export function brokenByIdentity(
  catalog: Catalog,
  tracked: readonly TrackedTable[],
  publication: string,
): TrackedTable[] {
  const published = catalog.publications.find(({ name }) => name === publication);
  if (published === undefined) return [];
  const tables = tablesByOid(catalog);
  return tracked.filter(
    ({ table, safe }) => !safe && table.identity === "full" && publishes(published, table, tables),
  );
}
