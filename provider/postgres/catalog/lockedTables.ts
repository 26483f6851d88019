import type { Catalog } from "../../contract/catalog";
import type { Reader } from "../../contract/session";
import { describeHolders, tableHolders, type TableChange } from "../sql/holders";
import { nameTable } from "./tableIndex";

/** What a block could not change, because others held a lock on it until the time was up. */
export interface LockedTables {
  /** How many tables. */
  readonly locked: number;
  /** The oids of the first five of them. */
  readonly lockedTables: readonly number[];
}

/** The first few tables that could not be changed, by name, and who keeps them locked. */
export interface LockReport {
  readonly names: string;
  /** Who, and how to end that, as sentences; empty where nobody holds a lock any more. Begins with a space. */
  readonly held: string;
}

/** Names the tables and who holds them. Ask right after the block: the lock may be free a moment later. */
export async function reportLocked(
  session: Reader,
  catalog: Catalog,
  { locked, lockedTables }: LockedTables,
  change: TableChange,
): Promise<LockReport> {
  // Who waited in vain must hear of it, whether or not the holder can be named.
  const holders = await tableHolders(session, lockedTables, change).catch(() => []);
  const held = describeHolders(holders, true, "");
  const names = lockedTables.map((oid) => nameTable(catalog, oid)).join(", ");
  const rest = locked - lockedTables.length;
  return {
    names: rest > 0 ? `${names} and ${rest} more` : names,
    held: held === undefined ? "" : ` ${held}`,
  };
}
