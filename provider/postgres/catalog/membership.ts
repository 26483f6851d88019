import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import { compareNames } from "./tableNames";

/**
 * Whether the publication publishes the table: listed, by its schema, through a partitioned table above it, or because
 * it publishes all tables; a partitioned table also when all its partitions are published.
 */
export function publishes(
  publication: PublicationFacts,
  table: TableFacts,
  byOid: ReadonlyMap<number, TableFacts>,
): boolean {
  if (publishesItself(publication, table, byOid)) return true;
  const leaves = leavesOf(table, byOid);
  return leaves.length > 0 && leaves.every((leaf) => publishesItself(publication, leaf, byOid));
}

/** The tables a publication lists by themselves, in the order of their names. */
export function membersOf(catalog: Catalog, publication: string): TableFacts[] {
  return catalog.tables
    .filter(({ listedIn }) => listedIn.some((entry) => entry.publication === publication))
    .sort(compareNames);
}

/**
 * Whether no row of the table can escape the publication. A partitioned table without a partition holds no row, so it
 * counts as covered.
 */
export function covers(
  publication: PublicationFacts,
  table: TableFacts,
  byOid: ReadonlyMap<number, TableFacts>,
): boolean {
  return publishes(publication, table, byOid) || (table.partitioned && leavesOf(table, byOid).length === 0);
}

/** The partitioned tables above a partition, nearest first. */
export function lineageOf(table: TableFacts, byOid: ReadonlyMap<number, TableFacts>): TableFacts[] {
  return table.ancestors.flatMap((oid) => byOid.get(oid) ?? []);
}

function publishesItself(
  publication: PublicationFacts,
  table: TableFacts,
  byOid: ReadonlyMap<number, TableFacts>,
): boolean {
  return (
    publication.allTables ||
    [table, ...lineageOf(table, byOid)].some(
      ({ schema, listedIn }) =>
        publication.schemas.includes(schema) ||
        listedIn.some((entry) => entry.publication === publication.name),
    )
  );
}

/** The partitions that hold the rows of a partitioned table. */
function leavesOf(table: TableFacts, byOid: ReadonlyMap<number, TableFacts>): readonly TableFacts[] {
  if (!table.partitioned) return [];
  let leaves = leafIndexes.get(byOid);
  if (leaves === undefined) {
    leaves = new Map<number, TableFacts[]>();
    for (const leaf of byOid.values())
      for (const oid of leaf.partitioned ? [] : leaf.ancestors) {
        const list = leaves.get(oid);
        if (list === undefined) leaves.set(oid, [leaf]);
        else list.push(leaf);
      }
    leafIndexes.set(byOid, leaves);
  }
  return leaves.get(table.oid) ?? [];
}

const leafIndexes = new WeakMap<ReadonlyMap<number, TableFacts>, Map<number, TableFacts[]>>();
