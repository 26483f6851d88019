import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import type { PublicationInputs } from "../../contract/kinds/publication";
import { covers, lineageOf, membersOf } from "../catalog/membership";
import { publishability } from "../catalog/publishability";
import { tablesByOid } from "../catalog/tableIndex";
import { trackedTables, type TrackedTable } from "../identity/trackedTables";
import type { Selection } from "../selection/selection";
import { withMembers, withPublication } from "./hypothetical";
import { optionFacts } from "./options";

/** A selection, with the publication that is to publish it. */
export type PublicationSelection = Selection & Pick<PublicationInputs, "name" | "trackNewTables">;

/**
 * How the list of a publication differs from the wanted one. Tables are compared by oid, never by name, and are in the
 * order of their names.
 */
export interface MemberChanges {
  /**
   * Tables to list: published neither by themselves nor through a partitioned table, and ready. Where the publication
   * publishes all tables or their schema, it is enough that their writes pass: they must not leave the stream.
   */
  readonly add: readonly TableFacts[];
  /** Listed tables to take out: no longer tracked, or published in a way that makes their writes fail. */
  readonly remove: readonly TableFacts[];
  /** Listed tables with a column list or row filter, to be listed without. */
  readonly relist: readonly TableFacts[];
  /** Schemas it publishes as a whole. They are to be replaced by their tables. */
  readonly schemas: readonly string[];
  /** Tables that are to be listed as soon as their replica identity is FULL. */
  readonly waiting: readonly TableFacts[];
}

/** A tracked table, and whether the publication publishes it. */
export interface PublishedTable {
  readonly entry: TrackedTable;
  readonly published: boolean;
  /** Why it is not published, or only with its key; `undefined` when all is well. */
  readonly because: string | undefined;
}

/**
 * What is to change in the list of a publication; nothing where it is for all tables. Planned as if its options were
 * right and none of its tables had a column list already, because what the publication leaves out decides which tables
 * it can publish.
 *
 * @param publication the one of the selection's name, or the list that is about to replace it
 */
export function planMembers(
  catalog: Catalog,
  selection: PublicationSelection,
  publication: PublicationFacts,
): MemberChanges {
  if (publication.allTables) return { add: [], remove: [], relist: [], schemas: [], waiting: [] };

  const { name } = publication;
  const members = membersOf(catalog, name);
  const partial = partialMembers(catalog, name);
  const whole = publishingWholly(catalog, publication);
  const tracked = trackedTables(whole, selection);
  const roots = rootsOf(tracked);
  const listedOids = new Set(members.map(({ oid }) => oid));
  const listed = ({ oid }: TableFacts): boolean => listedOids.has(oid);
  const current = whole.publications.find((found) => found.name === selection.name);
  const byOid = tablesByOid(whole);
  const unlisted = ({ safe, table }: TrackedTable): boolean =>
    safe && isPublishedUnlisted(current, table, byOid);
  const ready = (tree: readonly TrackedTable[]): boolean =>
    tree.every((entry) => entry.ready || unlisted(entry));

  const candidates = roots.filter(({ root }) => !listed(root) && root.mayAlter);
  const add = candidates.filter(({ tree }) => ready(tree));
  const waiting = candidates.filter(
    ({ tree }) => !ready(tree) && tree.every((entry) => entry.ready || entry.full),
  );
  // Where one partition is not ready, those that are published already are listed by themselves.
  const parts = roots
    .filter(({ root, tree }) => !listed(root) && !(root.mayAlter && ready(tree)))
    .flatMap(({ tree }) => tree.filter((entry) => !entry.table.partitioned && unlisted(entry)))
    .map(({ table }) => table)
    .filter((table) => table.mayAlter && ![table.oid, ...table.ancestors].some((oid) => listedOids.has(oid)));
  const covered = new Set([
    ...add.map(({ root }) => root.oid),
    ...roots
      .filter(({ root, tree }) => listed(root) && tree.every((entry) => entry.safe))
      .map(({ root }) => root.oid),
  ]);
  const places = new Map(roots.flatMap(({ root, tree }) => tree.map((entry) => [entry.table.oid, root.oid])));
  /** Whether it can be listed a while longer: no write fails of all that is published with it, tracked or not. */
  const safe = ({ oid }: TableFacts): boolean =>
    whole.tables.every(
      (table) => (table.oid !== oid && !table.ancestors.includes(oid)) || publishability(table, whole).safe,
    );
  const keep = (table: TableFacts): boolean => {
    if (covered.has(table.oid)) return true;
    const place = places.get(table.oid);
    if (place === undefined) {
      // A partitioned table whose partitions are to be listed instead stays until all of them are.
      const leaves = roots.filter(({ root }) => root.ancestors.includes(table.oid));
      return leaves.some(({ root }) => !covered.has(root.oid)) && safe(table);
    }
    // A partition that is listed by itself stays until the partitioned table above it is listed.
    return place !== table.oid && !covered.has(place) && safe(table);
  };
  return {
    add: [...add.map(({ root }) => root), ...parts],
    remove: members.filter((table) => !keep(table)),
    relist: partial.filter(keep),
    schemas: publication.schemas,
    waiting: waiting.map(({ root }) => root),
  };
}

/**
 * The catalog with the publication's options as they should be, and all its members listed without column list or
 * filter.
 */
export function publishingWholly(catalog: Catalog, publication: PublicationFacts): Catalog {
  const mended = { ...publication, ...optionFacts(catalog.server.version) };
  const add = partialMembers(catalog, publication.name);
  return withMembers(withPublication(catalog, mended), publication.name, { add });
}

/** Whether the publication publishes the table because it publishes all tables, or the schema of the table. */
function isPublishedUnlisted(
  publication: PublicationFacts | undefined,
  table: TableFacts,
  byOid: ReadonlyMap<number, TableFacts>,
): boolean {
  if (publication === undefined) return false;
  const { allTables, schemas } = publication;
  return allTables || [table, ...lineageOf(table, byOid)].some(({ schema }) => schemas.includes(schema));
}

/** The tables that the publication lists with a column list or a row filter. */
export function partialMembers(catalog: Catalog, publication: string): TableFacts[] {
  return membersOf(catalog, publication).filter(({ listedIn }) =>
    listedIn.some((entry) => entry.publication === publication && (entry.columnList || entry.rowFilter)),
  );
}

/** Every tracked table with what the publication does for it. */
export function publishedTables(
  catalog: Catalog,
  selection: PublicationSelection,
  publication: PublicationFacts,
): PublishedTable[] {
  const tracked = trackedTables(catalog, selection);
  const byOid = tablesByOid(catalog);
  const obstacles = new Map(
    rootsOf(tracked).flatMap(({ root, tree }) => {
      const obstacle = obstacleTo(root, tree);
      return tree.map((entry) => [entry.table.oid, obstacle]);
    }),
  );
  return tracked.map((entry) => {
    const { table } = entry;
    const published = covers(publication, table, byOid);
    if (published) return { entry, published, because: entry.because };
    const because = `not published: ${obstacles.get(table.oid) ?? "it could not be locked, or was taken out; the next up adds it"}`;
    return { entry, published, because };
  });
}

function obstacleTo(root: TableFacts, tree: readonly TrackedTable[]): string | undefined {
  if (!root.mayAlter) return `it belongs to ${root.owner}, whose rights our role does not have`;
  const culprit = tree.find(({ ready }) => !ready);
  if (culprit === undefined) return undefined;
  return culprit.table.oid === root.oid
    ? culprit.because
    : `its partition ${culprit.table.name}: ${culprit.because ?? ""}`;
}

interface Root {
  readonly root: TableFacts;
  /** The root and its partitions, which are published with it. */
  readonly tree: readonly TrackedTable[];
}

/**
 * The tracked tables that have to be listed: not the partitions of a listed table. A partitioned table without a key is
 * never listed, but its partitions: a partition to come would be published before it has an identity, and its UPDATEs and
 * DELETEs would fail until the next up. Event triggers prevent that only as long as they exist and fire, and a schema tool
 * can drop them, or a session switch them off.
 */
function rootsOf(tracked: readonly TrackedTable[]): Root[] {
  const whole = new Set(
    tracked.flatMap(({ table }) => (!table.partitioned || table.hasPrimaryKey ? [table.oid] : [])),
  );
  const trees = new Map<number, TrackedTable[]>();
  for (const entry of tracked) {
    const { table } = entry;
    const root = [...table.ancestors].reverse().find((oid) => whole.has(oid)) ?? table.oid;
    if (!whole.has(root)) continue;
    const tree = trees.get(root);
    if (tree === undefined) trees.set(root, [entry]);
    else tree.push(entry);
  }
  return tracked.flatMap(({ table }) => {
    const tree = trees.get(table.oid);
    return tree === undefined ? [] : [{ root: table, tree }];
  });
}
