import type { Catalog, TableFacts } from "../../contract/catalog";
import { firstFew } from "../../contract/wording";
import { formatTableName } from "./tableNames";

/** The tables by oid, to follow {@link TableFacts.ancestors}; made once per catalog. */
export function tablesByOid(catalog: Catalog): ReadonlyMap<number, TableFacts> {
  let index = indexes.get(catalog);
  if (index === undefined) {
    index = new Map(catalog.tables.map((table) => [table.oid, table]));
    indexes.set(catalog, index);
  }
  return index;
}

const indexes = new WeakMap<Catalog, ReadonlyMap<number, TableFacts>>();

/** The table's name for a message; its oid where the catalog has no such table (any more). */
export function nameTable(catalog: Catalog, oid: number): string {
  const table = tablesByOid(catalog).get(oid);
  return table === undefined ? `table ${oid}` : formatTableName(table);
}

/** The first few of the tables with these oids by name, for a message. */
export function nameTables(catalog: Catalog, oids: readonly number[]): string {
  return firstFew(oids.map((oid) => nameTable(catalog, oid)));
}
