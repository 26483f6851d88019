import { capabilities } from "../../contract/capabilities";
import type { PublicationInputs } from "../../contract/inputs";
import type { PublicationOutputs } from "../../contract/outputs";
import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import { trackedTables, type TrackedTable } from "../identity/plan";
import type { Wanted as Selection } from "../selection/selection";
import { covers, membersOf } from "../catalog/membership";
import { publishability } from "../catalog/publishability";
import { tablesByOid } from "../catalog/tableIndex";
import { tracksNewTables } from "../tracking/state";

export type Form = PublicationOutputs["form"];
/** A selection, and the publication for it. */
type Wanted = Selection & Pick<PublicationInputs, "name" | "trackNewTables">;

/** The way from the publication there is to the one that is wanted. Tables are compared by oid, never by name. */
export interface PublicationPlan {
  /** Tables to list: ready, and published neither by themselves nor through a partitioned table. */
  readonly add: readonly TableFacts[];
  /** Listed tables to take out: no longer tracked, or published in a way that makes their writes fail. */
  readonly remove: readonly TableFacts[];
  /** Listed tables with a column list or row filter, to be listed without. */
  readonly relist: readonly TableFacts[];
  /** Schemas it publishes as a whole, which this module never asks for. */
  readonly schemas: readonly string[];
  /** Tables that are to be listed as soon as their replica identity is FULL. */
  readonly waiting: readonly TableFacts[];
}

/** Tracked tables, and whether the publication publishes them now. */
export interface Coverage {
  readonly entry: TrackedTable;
  readonly published: boolean;
  /** Why it is not published, or only with its key; `undefined` when all is well. */
  readonly because: string | undefined;
}

/**
 * The form a publication should have. A list is what every owner may create, and it cannot publish a table before its
 * identity is set. All tables does: it is chosen only where everything is asked for, no table there is would lose
 * its UPDATEs and DELETEs, and an event trigger sees to the identity of those still to come. Never from PostgreSQL 18 on:
 * nothing could be done about a table without key to which a migration adds a virtual generated column.
 */
export function wantedForm(catalog: Catalog, wanted: Wanted): Form {
  if (!wantsEverything(wanted) || !wanted.trackNewTables || !tracksNewTables(catalog, wanted.name))
    return "table list";
  if (capabilities(catalog.server.version).publishesGeneratedColumns) return "table list";
  const unsafe = catalog.tables.some(
    (table) => table.persistence === "permanent" && !publishability(table, catalog).safe,
  );
  return unsafe ? "table list" : "all tables";
}

/** Whether the selection is what a publication for all tables publishes. */
export function wantsEverything({ allTables, excludeTables = [] }: Selection): boolean {
  return allTables === true && excludeTables.length === 0;
}

export function formOf(publication: PublicationFacts): Form {
  return publication.allTables ? "all tables" : "table list";
}

/** What is to be done about a publication that exists, in the form it has. */
export function planPublication(
  catalog: Catalog,
  wanted: Wanted,
  publication: PublicationFacts,
): PublicationPlan {
  if (publication.allTables) return { add: [], remove: [], relist: [], schemas: [], waiting: [] };

  const listed = (table: TableFacts): boolean =>
    table.listedIn.some((entry) => entry.publication === publication.name);
  const tracked = trackedTables(catalog, wanted);
  const roots = rootsOf(catalog, wanted, tracked);
  const ready = (tree: readonly TrackedTable[]): boolean => tree.every((entry) => entry.ready);
  const add = roots.filter(({ root, tree }) => !listed(root) && root.mayAlter && ready(tree));
  const waiting = roots.filter(
    ({ root, tree }) =>
      !listed(root) && root.mayAlter && !ready(tree) && tree.every((entry) => entry.ready || entry.full),
  );
  const covered = new Set([
    ...add.map(({ root }) => root.oid),
    ...roots
      .filter(({ root, tree }) => listed(root) && tree.every((entry) => entry.safe))
      .map(({ root }) => root.oid),
  ]);
  // A partition that is listed by itself stays until the table above it is.
  const safe = new Map(
    roots.flatMap(({ root, tree }) => tree.map((entry) => [entry.table.oid, { root, entry }])),
  );
  const keep = (table: TableFacts): boolean => {
    const found = safe.get(table.oid);
    if (found === undefined) {
      // One whose partitions are to be listed instead stays until all of them are.
      const leaves = roots.filter(({ root }) => root.ancestors.includes(table.oid));
      return (
        leaves.some(({ root }) => !covered.has(root.oid)) &&
        leaves.every(({ tree }) => tree.every((entry) => entry.safe))
      );
    }
    return (
      covered.has(table.oid) || (found.root !== table && !covered.has(found.root.oid) && found.entry.safe)
    );
  };
  const members = membersOf(catalog, publication.name);
  return {
    add: add.map(({ root }) => root),
    remove: members.filter((table) => !keep(table)),
    relist: members.filter(
      (table) =>
        keep(table) &&
        table.listedIn.some(
          ({ publication: name, columnList, rowFilter }) =>
            name === publication.name && (columnList || rowFilter),
        ),
    ),
    schemas: publication.schemas,
    waiting: waiting.map(({ root }) => root),
  };
}

/** Every tracked table with what the publication does for it. */
export function coverage(
  catalog: Catalog,
  wanted: Wanted,
  publication: PublicationFacts | undefined,
): Coverage[] {
  const tracked = trackedTables(catalog, wanted);
  const byOid = tablesByOid(catalog);
  const obstacles = new Map(
    rootsOf(catalog, wanted, tracked).flatMap(({ root, tree }) => {
      const obstacle = obstacleTo(root, tree);
      return tree.map((entry) => [entry.table.oid, obstacle]);
    }),
  );
  return tracked.map((entry) => {
    const { table } = entry;
    const published = publication !== undefined && covers(publication, table, byOid);
    if (published) return { entry, published, because: entry.because };
    const because = `not published: ${obstacles.get(table.oid) ?? "it could not be locked, or not yet"}`;
    return { entry, published, because };
  });
}

function obstacleTo(root: TableFacts, tree: readonly TrackedTable[]): string | undefined {
  if (!root.mayAlter) return `it belongs to ${root.owner}, whose rights our role does not have`;
  const culprit = tree.find(({ ready }) => !ready);
  if (culprit === undefined) return undefined;
  return culprit.table === root
    ? culprit.because
    : `its partition ${culprit.table.name}: ${culprit.because ?? ""}`;
}

interface Root {
  readonly root: TableFacts;
  /** The root and its partitions, which are published with it. */
  readonly tree: readonly TrackedTable[];
}

/**
 * Tracked tables that have to be listed: not the partitions of others. A partitioned table without key is listed with
 * its partitions only where an event trigger sets the identity of those still to come: else they would be published
 * before they have one, and their UPDATEs and DELETEs fail until the next up. There its partitions are listed instead.
 */
function rootsOf(
  catalog: Catalog,
  { name, trackNewTables }: Wanted,
  tracked: readonly TrackedTable[],
): Root[] {
  const watched = trackNewTables && tracksNewTables(catalog, name);
  const whole = new Set(
    tracked.flatMap(({ table }) => (!table.partitioned || watched || table.hasPrimaryKey ? [table.oid] : [])),
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

/** The options as `ALTER PUBLICATION ... SET` and `CREATE PUBLICATION ... WITH` take them. */
export function optionsSql(serverVersion: number): string {
  // Before 18 generated columns are never published, and the option does not exist. There, FULL without it makes every
  // UPDATE and DELETE of a table with a stored generated column fail.
  const generated = capabilities(serverVersion).publishesGeneratedColumns
    ? ", publish_generated_columns = stored"
    : "";
  return `(publish = 'insert, update, delete, truncate', publish_via_partition_root = false${generated})`;
}

/** The options that are not as {@link optionsSql} sets them, by name. */
export function wrongOptions(publication: PublicationFacts): string[] {
  const { insert, update, delete: deletes, truncate, viaRoot, generatedColumns } = publication;
  const wrong: string[] = [];
  if (!insert || !update || !deletes || !truncate) wrong.push("publish");
  if (viaRoot) wrong.push("publish_via_partition_root");
  if (generatedColumns === "none") wrong.push("publish_generated_columns");
  return wrong;
}
