import type { Catalog, TableFacts } from "../../contract/catalog";
import type { IdentityOfTable } from "../../contract/fields/identity";
import { publishes } from "../catalog/membership";
import { hasUsableIdentity, publishability, type Publishability } from "../catalog/publishability";
import { tablesByOid } from "../catalog/tableIndex";
import { readRecord } from "../record/moduleSchema";
import { previousByOid } from "../record/previous";
import type { DatabaseRecord, PreviousIdentity } from "../record/record";
import { askedIdentity, mayKeepKeys } from "../selection/identityChoice";
import { select, type Selection } from "../selection/selection";

/** A tracked table, with the decision about its replica identity and its place in the publication. */
export interface TrackedTable extends Publishability {
  readonly table: TableFacts;
  /** What the argument `identity` says of it. */
  readonly asked: IdentityOfTable;
  /**
   * Whether it is asked to keep its key as identity, and has none to keep. It is to be FULL then, so that its UPDATEs
   * and DELETEs pass. Who asks for that is told (see keyFindings); who drops the key later keeps a working table.
   */
  readonly keyless: boolean;
}

/**
 * The tables that the selection comes to, in the order of their names, with the decision about each.
 *
 * @param record default: the one in the catalog; it is only read where tables may keep their key
 */
export function trackedTables(
  catalog: Catalog,
  selection: Selection,
  record?: DatabaseRecord,
): TrackedTable[] {
  const { tables } = select(catalog, selection);
  const asked = askedIdentity(catalog, selection.identity);
  const previous = mayKeepKeys(selection.identity)
    ? previousByOid(record ?? readRecord(catalog), catalog)
    : new Map<number, PreviousIdentity>();
  return tables.map((table) => {
    const choice = asked(table);
    const keeps = choice === "primaryKey" && hasUsableIdentity(besideFull(table, previous.get(table.oid)));
    return {
      table,
      asked: choice,
      keyless: choice === "primaryKey" && !keeps,
      ...publishability(table, catalog, keeps ? "key" : "full"),
    };
  });
}

/**
 * The table as it is without what this module does to it: a FULL one with the identity that the record says it gets
 * back. One that was FULL before the module stays FULL.
 */
function besideFull(table: TableFacts, previous: PreviousIdentity | undefined): TableFacts {
  if (table.identity !== "full") return table;
  return { ...table, identity: previous?.identity ?? "default", identityIndex: previous?.index ?? null };
}

/**
 * Of the tables in the record, those that can get back the identity they had. They are not to be FULL (any more), and
 * either the publication no longer publishes them, or they can stay in it with their key: their primary key, or an index
 * that the record knows. The others follow when they have left the publication.
 */
export function tablesToRestore(
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
    return entry !== undefined && (table.hasPrimaryKey || keepsKey(entry));
  });
}

/** Whether it is asked to keep its key as identity, and has one. */
export function keepsKey({ asked, keyless }: TrackedTable): boolean {
  return asked === "primaryKey" && !keyless;
}

/** Tracked tables whose UPDATEs and DELETEs PostgreSQL refuses now: published, with FULL although it is ruled out. */
export function brokenByIdentity(
  catalog: Catalog,
  tracked: readonly TrackedTable[],
  publication: string,
): TrackedTable[] {
  const published = catalog.publications.find(({ name }) => name === publication);
  if (published === undefined) return [];
  const tables = tablesByOid(catalog);
  return tracked.filter(
    ({ table, safe }) => !safe && table.identity === "full" && publishes(published, table, tables),
  );
}
