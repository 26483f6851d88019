import type { Catalog, TableFacts } from "../../contract/catalog";
import { membersOf } from "../catalog/membership";
import { formatTableName, parseTableName } from "../catalog/tableNames";
import type { Mark } from "../ownership/mark";
import { ownPublication } from "../ownership/ownObjects";
import { readRecord } from "../record/moduleSchema";
import { previousByOid } from "../record/previous";
import type { Claim, DatabaseRecord, PreviousIdentity } from "../record/record";
import { mayKeepKeys, type IdentityChoice } from "../selection/identityChoice";
import { select, type Selection } from "../selection/selection";
import { keepsKey, trackedTables } from "./trackedTables";

/** The identity that a table gets back. */
export type FormerIdentity = Pick<TableFacts, "identity" | "identityIndex">;

const DEFAULT: FormerIdentity = { identity: "default", identityIndex: null };

/** The claim of the trail with this publication, whichever resource made it. */
export function claimOf({ claims }: DatabaseRecord, publication: string): Claim | undefined {
  return claims.find((claim) => claim.publication === publication);
}

/** What the last up of the trail with this publication was given as `identity`; `undefined`: every table is to be FULL. */
export function claimedIdentity(catalog: Catalog, publication: string): Selection["identity"] {
  return claimOf(readRecord(catalog), publication)?.selections.at(-1)?.identity;
}

/** What a trail claims. */
export interface Claiming {
  readonly publication: string;
  readonly mark: Mark & { readonly id: string };
  readonly selection: Selection;
  /** `undefined` on create. */
  readonly state: FormerState | undefined;
}

/**
 * What the state says: the selection, how many of its tables had the identity that they should have, and the id in the
 * mark of the claim. Without the id there has been no claim yet: the resource was imported, and no up has run since.
 */
export type FormerState = Selection & { readonly done?: number; readonly ownershipId?: string };

/**
 * Whether the record was lost: the state says that the trail has a claim, and there is none. FULL tables of the state's
 * selection are then taken for ones that this module changed. A create that failed before its claim, or an import, has
 * written no claim: then they were FULL before. A destroy that was killed after its last statement leaves no claim either.
 * But it has restored the tables, so that fewer are as the state says, and those were so before.
 */
export function isRecordLost(
  record: DatabaseRecord,
  catalog: Catalog,
  publication: string,
  state: FormerState | undefined,
): state is FormerState & { readonly ownershipId: string } {
  if (state?.ownershipId === undefined || claimOf(record, publication) !== undefined) return false;
  const done = trackedTables(catalog, state).filter(({ because }) => because === undefined);
  return done.length >= (state.done ?? Infinity);
}

/**
 * The record in which the trail claims its selection, to be committed before the first table is changed. Of tables that
 * the claim covers, the record knows only those that were not DEFAULT before:
 * - a table that is not FULL now gets back what it has now, also if it was tracked before: then somebody has set it;
 * - of a table that keeps its key, the identity that it has is known, in case somebody sets it to FULL;
 * - a table that is FULL stays FULL for good, if nothing says that this module has set it: neither a claim that covers it
 *   already, nor the trail's own publication, nor the state;
 * - a table that had left the selection and is back needs no entry of its own any more, unless it was not DEFAULT before.
 */
export function claimed(
  record: DatabaseRecord,
  catalog: Catalog,
  { publication, mark, selection, state }: Claiming,
): DatabaseRecord {
  const own = claimOf(record, publication);
  const wanted = canonical(selection);
  const former = (own?.selections ?? []).filter((other) => !isSame(other, wanted));
  const claim: Claim = { ...mark, publication, selections: [...former, wanted] };
  const claims =
    own === undefined
      ? [...record.claims, claim]
      : record.claims.map((other) => (other === own ? claim : other));

  const covered = coveredBy(catalog, record.claims);
  if (isRecordLost(record, catalog, publication, state))
    for (const oid of fullOids(record, catalog, [state])) covered.add(oid);
  if (ownPublication(catalog, publication) !== undefined)
    for (const { oid } of membersOf(catalog, publication)) covered.add(oid);

  const entries = new Map(previousByOid(record, catalog));
  for (const entry of trackedTables(catalog, selection, record)) {
    const { table } = entry;
    const { oid } = table;
    if (table.identity !== "full") {
      // A table that keeps its key has an entry too: somebody may set it to FULL.
      const now = entry.full || keepsKey(entry) ? entryOf(table) : undefined;
      if (now === undefined) entries.delete(oid);
      else entries.set(oid, now);
    } else if (entries.has(oid)) comeBack(entries, oid);
    else if (!covered.has(oid)) entries.set(oid, { ...named(table), identity: "full" });
  }
  return { ...record, claims, previous: inOrder(entries, catalog) };
}

/** Makes the entry of a table that had left the selection what it was before. */
function comeBack(entries: Map<number, PreviousIdentity>, oid: number): void {
  const entry = entries.get(oid);
  if (entry?.left === undefined) return;
  if (entry.identity === "default") entries.delete(oid);
  else entries.set(oid, { ...entry, left: undefined });
}

/**
 * The tables that the trail has set to FULL and that nobody else claims, by oid, each with the identity it gets back.
 *
 * @param beside oids of tables that no selection of the claim covers, and that the trail has set to FULL all the same:
 *   its publication lists them, and they have been renamed since
 */
export function setByTrail(
  record: DatabaseRecord,
  catalog: Catalog,
  publication: string,
  beside: readonly number[] = [],
): ReadonlyMap<number, FormerIdentity> {
  const own = claimOf(record, publication);
  if (own === undefined) return new Map();
  const mine = oidsOf(catalog, own.selections);
  for (const oid of beside) mine.add(oid);
  const others = fullOids(
    record,
    catalog,
    record.claims.flatMap((claim) => (claim === own || isLeftOver(claim, catalog) ? [] : claim.selections)),
  );
  const entries = previousByOid(record, catalog);
  for (const [oid, { left }] of entries) if (left === publication) mine.add(oid);
  return new Map(
    catalog.tables.flatMap(({ oid, identity }): [number, FormerIdentity][] => {
      if (identity !== "full" || !mine.has(oid) || others.has(oid)) return [];
      const before = entries.get(oid);
      if (before?.identity === "full") return [];
      return [[oid, before === undefined ? DEFAULT : formerOf(before)]];
    }),
  );
}

/** Whether the claim came along with a dump, and the publication that it was for has been dropped: nobody will end it. */
function isLeftOver({ databaseOid, publication }: Claim, catalog: Catalog): boolean {
  const came = databaseOid !== undefined && databaseOid !== catalog.server.databaseOid;
  return came && ownPublication(catalog, publication) === undefined;
}

/** The part of these identities that concerns the given tables. */
export function only(
  previous: ReadonlyMap<number, FormerIdentity>,
  oids: readonly number[],
): ReadonlyMap<number, FormerIdentity> {
  const wanted = new Set(oids);
  return new Map([...previous].filter(([oid]) => wanted.has(oid)));
}

/**
 * Oids of tables that the trail's publication lists and no selection covers: they were renamed, or moved to another
 * schema, after they had been tracked. None without a claim, because then FULL is not this module's doing.
 *
 * @param selections those of the publication's resource
 */
export function strayed(
  record: DatabaseRecord,
  catalog: Catalog,
  publication: string,
  selections: readonly Selection[],
): number[] {
  const own = claimOf(record, publication);
  if (own === undefined || ownPublication(catalog, publication) === undefined) return [];
  const covered = oidsOf(catalog, [...own.selections, ...selections]);
  return membersOf(catalog, publication).flatMap(({ oid }) => (covered.has(oid) ? [] : [oid]));
}

/**
 * The record without what is settled: selections of the trail that are no longer wanted and of which no table has to be
 * given back any more, and entries of tables that nobody claims.
 */
export function settled(record: DatabaseRecord, catalog: Catalog, publication: string): DatabaseRecord {
  const own = claimOf(record, publication);
  const last = own?.selections.at(-1);
  if (own === undefined || last === undefined) return record;
  const wanted = oidsOf(catalog, [last]);
  const open = [...setByTrail(record, catalog, publication).keys()].some((oid) => !wanted.has(oid));
  const claims = open
    ? record.claims
    : record.claims.map((claim) => (claim === own ? { ...own, selections: [last] } : claim));
  return withoutUnclaimed({ ...record, claims }, catalog);
}

/** The record without the trail's claim, and without entries of tables that nobody else claims. */
export function unclaimed(record: DatabaseRecord, catalog: Catalog, publication: string): DatabaseRecord {
  const claims = record.claims.filter((claim) => claim.publication !== publication);
  return withoutUnclaimed({ ...record, claims }, catalog);
}

/** What the record says otherwise after a change, of tables that it knew already: somebody has set their identity. */
export function changedMeanwhile(
  before: DatabaseRecord,
  after: DatabaseRecord,
  catalog: Catalog,
): { readonly table: TableFacts; readonly identity: FormerIdentity["identity"] }[] {
  const covered = coveredBy(catalog, before.claims);
  const [was, is] = [previousByOid(before, catalog), previousByOid(after, catalog)];
  return catalog.tables.flatMap((table) => {
    const identity = is.get(table.oid)?.identity ?? "default";
    const known = was.get(table.oid)?.identity ?? "default";
    return table.identity !== "full" && covered.has(table.oid) && identity !== known
      ? [{ table, identity }]
      : [];
  });
}

function withoutUnclaimed(record: DatabaseRecord, catalog: Catalog): DatabaseRecord {
  const covered = coveredBy(catalog, record.claims);
  // What a publication of a trail still lists gets its identity back when it has left the publication.
  for (const { publication } of record.claims)
    if (ownPublication(catalog, publication) !== undefined)
      for (const { oid } of membersOf(catalog, publication)) covered.add(oid);
  const publications = new Set(record.claims.map(({ publication }) => publication));
  const tables = new Map(catalog.tables.map((table) => [table.oid, table]));
  const entries = [...previousByOid(record, catalog)].filter(([oid, { left }]) =>
    left === undefined ? covered.has(oid) : publications.has(left) && tables.get(oid)?.identity === "full",
  );
  return { ...record, previous: inOrder(new Map(entries), catalog) };
}

function coveredBy(catalog: Catalog, claims: readonly Claim[]): Set<number> {
  return oidsOf(
    catalog,
    claims.flatMap(({ selections }) => selections),
  );
}

function oidsOf(catalog: Catalog, selections: readonly Selection[]): Set<number> {
  return new Set(selections.flatMap((each) => select(catalog, each).tables.map(({ oid }) => oid)));
}

/** Of the tables of these selections, those that are to be FULL, or have no other identity that names a row. */
function fullOids(record: DatabaseRecord, catalog: Catalog, selections: readonly Selection[]): Set<number> {
  return new Set(
    selections.flatMap((each) =>
      mayKeepKeys(each.identity)
        ? trackedTables(catalog, each, record).flatMap((entry) => (keepsKey(entry) ? [] : [entry.table.oid]))
        : [...oidsOf(catalog, [each])],
    ),
  );
}

/** Entries in the order of their oids, with the names that their tables have now. */
function inOrder(entries: ReadonlyMap<number, PreviousIdentity>, catalog: Catalog): PreviousIdentity[] {
  const tables = new Map(catalog.tables.map((table) => [table.oid, table]));
  return [...entries]
    .sort(([a], [b]) => a - b)
    .flatMap(([oid, entry]) => {
      const table = tables.get(oid);
      return table === undefined ? [] : [{ ...entry, ...named(table) }];
    });
}

/** The entry for a table that is not FULL; `undefined` for DEFAULT, which needs none. */
function entryOf(table: TableFacts): PreviousIdentity | undefined {
  const { identity, identityIndex } = table;
  if (identity === "default" || identity === "full") return undefined;
  return {
    ...named(table),
    identity,
    ...(identityIndex === null ? {} : { index: { ...identityIndex, columns: [...identityIndex.columns] } }),
  };
}

function formerOf({ identity, index }: PreviousIdentity): FormerIdentity {
  return { identity, identityIndex: index ?? null };
}

function named({ oid, schema, name }: TableFacts): Pick<PreviousIdentity, "oid" | "schema" | "name"> {
  return { oid, schema, name };
}

type Canonical = Claim["selections"][number];

/** The selection in one form, so that selections which mean the same are equal as text. */
function canonical({ schemas, tables, allTables, excludeTables = [], identity }: Selection): Canonical {
  const identities = mayKeepKeys(identity) ? canonicalIdentity(identity) : undefined;
  return {
    ...(schemas === undefined ? {} : { schemas: sorted(schemas) }),
    ...(tables === undefined ? {} : { tables: sorted(tables.map(asWritten)) }),
    ...(allTables === undefined ? {} : { allTables }),
    ...(excludeTables.length === 0 ? {} : { excludeTables: sorted(excludeTables.map(asWritten)) }),
    ...(identities === undefined ? {} : { identity: identities }),
  };
}

/** Only what differs from the default, so that it can be told whether two choices are the same. */
function canonicalIdentity({ default: otherwise = "full", tables = {} }: IdentityChoice = {}) {
  const named = Object.entries(tables)
    .map(([name, choice]) => [asWritten(name), choice] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...(otherwise === "full" ? {} : { default: otherwise }),
    ...(named.length === 0 ? {} : { tables: Object.fromEntries(named) }),
  };
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

/** The name with quotes only where it needs them. */
function asWritten(text: string): string {
  return formatTableName(parseTableName(text));
}

function isSame(a: Selection, b: Selection): boolean {
  return JSON.stringify(canonical(a)) === JSON.stringify(canonical(b));
}
