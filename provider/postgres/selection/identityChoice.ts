import type { Catalog, TableFacts } from "../../contract/catalog";
import type { IdentityOfTable } from "../../contract/fields/identity";
import { lineageOf } from "../catalog/membership";
import { tablesByOid } from "../catalog/tableIndex";
import { parseTableName, tableKey } from "../catalog/tableNames";

/** The argument `identity`: which replica identity the tables of a selection get. */
export interface IdentityChoice {
  /** For tables that {@link IdentityChoice.tables} does not name. Default: `full`. */
  readonly default?: IdentityOfTable;
  /** By name, written as in the selection. Default: none. */
  readonly tables?: Readonly<Record<string, IdentityOfTable>>;
}

/** Whether some table could keep the identity that it has. */
export function mayKeepKeys({ default: otherwise, tables = {} }: IdentityChoice = {}): boolean {
  return otherwise === "primaryKey" || Object.values(tables).includes("primaryKey");
}

/**
 * Which identity is asked for, for a table. PostgreSQL has no identity of a partitioned table for its rows: each
 * partition has its own, and the same primary key. So the name of a partitioned table stands for its partitions, unless
 * a name nearer to the partition says otherwise. A table that inherits has its own primary key or none, so the name of
 * the table above says nothing about it.
 */
export function askedIdentity(
  catalog: Catalog,
  { default: otherwise = "full", tables = {} }: IdentityChoice = {},
): (table: TableFacts) => IdentityOfTable {
  const choices = new Map(
    Object.entries(tables).map(([text, choice]) => [tableKey(parseTableName(text)), choice]),
  );
  if (choices.size === 0) return () => otherwise;
  const byOid = tablesByOid(catalog);
  return (table) => {
    for (const each of [table, ...lineageOf(table, byOid)]) {
      const choice = choices.get(tableKey(each));
      if (choice !== undefined) return choice;
    }
    return otherwise;
  };
}
