import type { TableFacts } from "../../contract/catalog";

/** A table and one right above it, and whether it is a partition of that. */
export type ParentRow = readonly [child: number, parent: number, partition: boolean];

/** For the oid of a table, those of the tables above it. */
export function families(
  rows: readonly ParentRow[],
): (oid: number) => Pick<TableFacts, "ancestors" | "inheritsFrom"> {
  const partitions = new Map<number, number[]>();
  const heirs = new Map<number, number[]>();
  for (const [child, parent, partition] of rows) {
    const parents = partition ? partitions : heirs;
    const list = parents.get(child);
    if (list === undefined) parents.set(child, [parent]);
    else list.push(parent);
  }
  return (oid) => ({ ancestors: above(oid, partitions), inheritsFrom: above(oid, heirs) });
}

/** Nearest first. */
function above(oid: number, parents: ReadonlyMap<number, readonly number[]>): number[] {
  const found = new Set(parents.get(oid));
  for (const parent of found) for (const next of parents.get(parent) ?? []) found.add(next);
  return [...found];
}
