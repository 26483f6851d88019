import { createHash } from "node:crypto";
import type { Catalog, TableFacts } from "../../contract/catalog";
import { formatTableName } from "../catalog/tableNames";
import { select, type Selection } from "../selection/selection";
import { bestIdentity, publishes, publishingBreaksWrites, tablesByOid } from "../catalog/tableRules";

/** A tracked table, and what is to become of its replica identity. */
export interface TrackedTable {
  readonly table: TableFacts;
  /** Whether it is to have the identity FULL. Where not, it keeps the one it has. */
  readonly full: boolean;
  /** Whether it may be added to the publication now: its identity is what it is to be, and safe. */
  readonly ready: boolean;
  /** Whether UPDATE and DELETE pass while it is published with the identity it has now. */
  readonly safe: boolean;
  /** Why it is not as it should be; `undefined` when it is. */
  readonly because: string | undefined;
}

/** What the selection means for replica identities, table by table, in the order of their names. */
export function planIdentities(catalog: Catalog, wanted: Selection): TrackedTable[] {
  return select(catalog, wanted).tables.map((table) => trackTable(table, catalog));
}

/** The same for one table, selected or not. */
export function trackTable(table: TableFacts, catalog: Catalog): TrackedTable {
  const { identity, because = "cannot have a full replica identity" } = bestIdentity(table, catalog);
  if (identity === "full" && table.identity === "full")
    return { table, full: true, ready: true, safe: true, because: undefined };
  // With FULL although something rules it out, its writes are refused already.
  const safe = table.identity !== "full" && !publishingBreaksWrites(table);
  if (identity === "full" && table.mayAlter)
    return { table, full: true, ready: false, safe, because: "replica identity is not full yet" };
  const reason =
    identity === "full" ? `belongs to ${table.owner}, whose rights our role does not have` : because;
  return { table, full: false, ready: safe, safe, because: reason };
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

/** Tracked tables on which PostgreSQL refuses UPDATE and DELETE right now, because they are published with FULL. */
export function brokenByIdentity(
  catalog: Catalog,
  tracked: readonly TrackedTable[],
  publication: string,
): TrackedTable[] {
  const published = catalog.publications.find(({ name }) => name === publication);
  if (published === undefined) return [];
  const tables = tablesByOid(catalog);
  return tracked.filter(
    ({ table, full }) => !full && table.identity === "full" && publishes(published, table, tables),
  );
}
