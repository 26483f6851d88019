import type { Catalog, TableFacts } from "../../contract/catalog";
import { publishes } from "../catalog/membership";
import { publishability, type Publishability } from "../catalog/publishability";
import { tablesByOid } from "../catalog/tableIndex";
import { select, type Selection } from "../selection/selection";

/** A tracked table, with the decision about its replica identity and its place in the publication. */
export interface TrackedTable extends Publishability {
  readonly table: TableFacts;
}

/** The tables that the selection comes to, in the order of their names, with the decision about each. */
export function trackedTables(catalog: Catalog, selection: Selection): TrackedTable[] {
  return select(catalog, selection).tables.map((table) => ({ table, ...publishability(table, catalog) }));
}

/**
 * Of the tables in the record, those that can get back the identity they had. They are not to be FULL (any more), and
 * either the publication no longer publishes them, or they can stay in it with their key. The others follow when they
 * have left the publication.
 */
export function tablesToRestore(
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
