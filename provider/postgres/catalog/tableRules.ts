import { capabilities } from "../../contract/capabilities";
import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import { formatTableName } from "./tableNames";
import { firstFew } from "../../contract/wording";

/**
 * The best identity a table can have while it is published without making its UPDATEs and DELETEs fail.
 * - `full`: the whole row before each change;
 * - `key`: only the key of the row, as something rules FULL out;
 * - `none`: FULL is ruled out and there is no key, so the table must not be published.
 */
export interface BestIdentity {
  readonly identity: "full" | "key" | "none";
  /** What rules FULL out, as the end of "cannot have FULL identity: it ..." */
  readonly because?: string;
}

/**
 * PostgreSQL refuses UPDATE and DELETE on a table with FULL identity that a publication publishes only in part: with a
 * column list, or from 18 on without its generated columns (virtual ones are never published). Every publication
 * counts, as identities are set before ours is changed.
 */
export function bestIdentity(table: TableFacts, catalog: Catalog): BestIdentity {
  const because = obstacleToFull(table, catalog);
  if (because === undefined) return { identity: "full" };
  return { identity: hasKey(table) ? "key" : "none", because };
}

/** Whether UPDATE and DELETE would fail once the table, as it is, is published as a whole. */
export function publishingBreaksWrites(table: TableFacts): boolean {
  if (table.partitioned) return false;
  switch (table.identity) {
    case "full":
      return false;
    case "default":
      return !table.hasPrimaryKey;
    case "index":
      return table.identityIndex === null;
    case "nothing":
      return true;
  }
}

/**
 * Whether the publication publishes the table: listed, by its schema, through a parent, or all tables; a partitioned
 * table also when all its partitions are.
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

/** The tables a publication lists by themselves. */
export function membersOf(catalog: Catalog, publication: string): TableFacts[] {
  return catalog.tables.filter(({ listedIn }) => listedIn.some((entry) => entry.publication === publication));
}

/** Whether no row of the table can escape the publication: there is none where it has no partition yet. */
export function covers(
  publication: PublicationFacts,
  table: TableFacts,
  byOid: ReadonlyMap<number, TableFacts>,
): boolean {
  return publishes(publication, table, byOid) || (table.partitioned && leavesOf(table, byOid).length === 0);
}

function publishesItself(
  publication: PublicationFacts,
  table: TableFacts,
  byOid: ReadonlyMap<number, TableFacts>,
): boolean {
  return (
    publication.allTables ||
    [table, ...lineage(table, byOid)].some(
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

/** The first few of the tables with these oids by name, for a message. */
export function nameTables(catalog: Catalog, oids: readonly number[]): string {
  const byOid = tablesByOid(catalog);
  return firstFew(
    oids.map((oid) => {
      const table = byOid.get(oid);
      return table === undefined ? `table ${oid}` : formatTableName(table);
    }),
  );
}

function obstacleToFull(table: TableFacts, catalog: Catalog): string | undefined {
  if (table.virtualGenerated && capabilities(catalog.server.version).publishesGeneratedColumns)
    return "has a virtual generated column, which PostgreSQL cannot publish";
  const byOid = tablesByOid(catalog);
  const withAncestors = [table, ...lineage(table, byOid)];
  for (const publication of catalog.publications) {
    if (!publication.update && !publication.delete) continue;
    const listed = withAncestors.flatMap(({ listedIn }) =>
      listedIn.filter((entry) => entry.publication === publication.name),
    );
    if (listed.some(({ columnList }) => columnList))
      return `is published with a column list by publication "${publication.name}"`;
    if (
      table.storedGenerated &&
      publication.generatedColumns === "none" &&
      publishes(publication, table, byOid)
    )
      return `has a stored generated column, which publication "${publication.name}" leaves out`;
  }
  return undefined;
}

function lineage(table: TableFacts, byOid: ReadonlyMap<number, TableFacts>): TableFacts[] {
  return table.ancestors.flatMap((oid) => byOid.get(oid) ?? []);
}

function hasKey(table: TableFacts): boolean {
  return table.hasPrimaryKey || (table.identity === "index" && table.identityIndex !== null);
}
