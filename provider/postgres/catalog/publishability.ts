import { capabilities } from "../../contract/capabilities";
import type { Catalog, TableFacts } from "../../contract/catalog";
import { lineageOf, publishes } from "./membership";
import { tablesByOid } from "./tableIndex";

/**
 * Whether a table may be published, with which replica identity, and what happens to its UPDATEs and DELETEs meanwhile.
 * {@link decide} is the only place that answers this, by the following table. The functions of the event triggers
 * (tracking/functions.ts) apply the rows for virtual generated columns in SQL, because they see one new table and no
 * catalog.
 *
 * | FULL         | may we alter it | identity now   | identity wanted | UPDATE, DELETE while published | may be published |
 * |--------------|-----------------|----------------|-----------------|--------------------------------|------------------|
 * | is possible  | any             | FULL           | FULL            | pass                           | yes              |
 * | is possible  | yes             | usable         | FULL            | pass                           | when it is FULL  |
 * | is possible  | yes             | not usable     | FULL            | refused                        | when it is FULL  |
 * | is possible  | no              | usable         | as it is        | pass                           | yes              |
 * | is possible  | no              | not usable     | as it is        | refused                        | no               |
 * | is ruled out | any             | FULL           | as it is        | refused                        | no               |
 * | is ruled out | any             | usable         | as it is        | pass                           | yes              |
 * | is ruled out | any             | not usable     | as it is        | refused                        | no               |
 *
 * - Usable is what names a row: DEFAULT with a primary key, USING INDEX while the index exists. NOTHING never is.
 * - A partitioned table holds no rows, so every identity counts as usable there, FULL included. PostgreSQL checks the
 *   partitions instead.
 * - FULL is ruled out where a publication publishes the table only in part, because PostgreSQL then refuses every
 *   UPDATE and DELETE: with a column list, or from 18 on without a generated column (virtual ones are never published).
 *   Every publication counts, because identities are set before this module changes its own publication.
 * - The table is for tables that are to have FULL. One that is to keep its key ({@link WantedIdentity}) is given a usable
 *   identity and not FULL as soon as it has a key, and may be published with both.
 * - Only its owner can add a table to a publication: whoever plans that asks for `mayAlter` besides.
 */
export interface Publishability {
  /**
   * The best identity the table can have while it is published:
   * - `full`: the whole row before each change;
   * - `key`: only the key of the row, because FULL is ruled out or not wanted;
   * - `none`: FULL is ruled out and there is no key, so the table must not be published.
   */
  readonly best: "full" | "key" | "none";
  /** Whether it is to have the identity FULL. Otherwise it keeps the identity it has. */
  readonly full: boolean;
  /** Whether it may be published now: its identity is the wanted one, and its UPDATEs and DELETEs pass. */
  readonly ready: boolean;
  /** Whether its UPDATEs and DELETEs pass while it is published with the identity it has now. */
  readonly safe: boolean;
  /**
   * Why its identity is not FULL, or must not be; the end of a sentence about the table. `undefined` when all is well.
   */
  readonly because: string | undefined;
}

/** The decision for a table beside all publications of its database. */
export function publishability(
  table: TableFacts,
  catalog: Catalog,
  wanted: WantedIdentity = "full",
): Publishability {
  return decide(table, obstacleToFull(table, catalog), wanted);
}

/**
 * What a table is to have:
 * - `full`: FULL;
 * - `key`: the identity that it has beside FULL, which names a row. Only for a table that has such a one.
 */
export type WantedIdentity = "full" | "key";

/**
 * The decision table above.
 *
 * @param obstacle what rules FULL out, as the end of a sentence about the table; `undefined` where FULL is possible
 */
export function decide(
  table: TableFacts,
  obstacle: string | undefined,
  wanted: WantedIdentity = "full",
): Publishability {
  const isFull = table.identity === "full";
  if (wanted === "key") {
    const safe = table.partitioned || (isFull ? obstacle === undefined : hasUsableIdentity(table));
    return { best: "key", full: false, ready: safe, safe, because: safe ? undefined : obstacle };
  }
  if (obstacle !== undefined) {
    const safe = table.partitioned || (!isFull && hasUsableIdentity(table));
    return { best: hasKey(table) ? "key" : "none", full: false, ready: safe, safe, because: obstacle };
  }
  if (isFull) return { best: "full", full: true, ready: true, safe: true, because: undefined };
  const safe = hasUsableIdentity(table);
  if (table.mayAlter)
    return { best: "full", full: true, ready: false, safe, because: "replica identity is not full yet" };
  const because = `belongs to ${table.owner}, whose rights our role does not have`;
  return { best: "full", full: false, ready: safe, safe, because };
}

/** The best identity of a table, and what rules FULL out, as the end of "cannot have FULL identity: it ...". */
export interface BestIdentity {
  readonly identity: Publishability["best"];
  /** Left out where FULL is possible, or not wanted. */
  readonly because?: string;
}

/** The part of a decision that says which identity is best. */
export function bestOf({ best, because }: Pick<Publishability, "best" | "because">): BestIdentity {
  return best === "full" || because === undefined ? { identity: best } : { identity: best, because };
}

/**
 * Whether UPDATE and DELETE would fail once the table, as it is, is published as a whole. What rules FULL out does not
 * count here.
 */
export function publishingBreaksWrites(table: TableFacts): boolean {
  return !decide(table, undefined).safe;
}

/** What rules FULL out for a table, as the end of a sentence about it. */
function obstacleToFull(table: TableFacts, catalog: Catalog): string | undefined {
  if (table.virtualGenerated && capabilities(catalog.server.version).publishesGeneratedColumns)
    return "has a virtual generated column, which PostgreSQL cannot publish";
  const byOid = tablesByOid(catalog);
  const withAncestors = [table, ...lineageOf(table, byOid)];
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

/** Whether PostgreSQL can tell by the identity which row an UPDATE or DELETE concerns. */
export function hasUsableIdentity(
  table: Pick<TableFacts, "partitioned" | "identity" | "identityIndex" | "hasPrimaryKey">,
): boolean {
  if (table.partitioned) return true;
  switch (table.identity) {
    case "full":
      return true;
    case "default":
      return table.hasPrimaryKey;
    case "index":
      return table.identityIndex !== null;
    case "nothing":
      return false;
  }
}

function hasKey(table: TableFacts): boolean {
  return table.hasPrimaryKey || (table.identity === "index" && table.identityIndex !== null);
}
