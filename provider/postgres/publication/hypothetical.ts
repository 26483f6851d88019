import type { Catalog, ListedIn, PublicationFacts, TableFacts } from "../../contract/catalog";
import { optionFacts } from "./options";

/*
 * The catalog as it will be: what later steps of a plan find when the earlier ones are done. With it, one read of the
 * catalog is enough for a whole plan.
 */

/** A publication that is about to be created, without tables. */
export function createdPublication(catalog: Catalog, name: string, comment: string): PublicationFacts {
  const { version, currentRole } = catalog.server;
  return {
    ...optionFacts(version),
    // PostgreSQL gives it one; no plan looks at it.
    oid: 0,
    name,
    owner: currentRole,
    mayAlter: true,
    allTables: false,
    schemas: [],
    comment,
  };
}

/** The catalog with this publication, in place of the one of its name if there is one. */
export function withPublication(catalog: Catalog, publication: PublicationFacts): Catalog {
  const others = catalog.publications.filter(({ name }) => name !== publication.name);
  return { ...catalog, publications: [...others, publication] };
}

/** The catalog without this publication. */
export function withoutPublication(catalog: Catalog, name: string): Catalog {
  const publications = catalog.publications.filter((publication) => publication.name !== name);
  return { ...mapTables(catalog, () => true, unlisted(name)), publications };
}

/** The catalog with a publication under the name of another one, which is gone. */
export function withName(catalog: Catalog, publication: string, name: string): Catalog {
  const rest = withoutPublication(catalog, name);
  const renamed = (found: string): string => (found === publication ? name : found);
  return {
    ...mapTables(
      rest,
      () => true,
      (listedIn) => listedIn.map((entry) => ({ ...entry, publication: renamed(entry.publication) })),
    ),
    publications: rest.publications.map((found) => ({ ...found, name: renamed(found.name) })),
  };
}

/** The catalog with a change of what a publication lists. */
export function withMembers(
  catalog: Catalog,
  name: string,
  change: { readonly add?: readonly TableFacts[]; readonly remove?: readonly TableFacts[] },
): Catalog {
  const [added, removed] = [oidsOf(change.add), oidsOf(change.remove)];
  if (added.size + removed.size === 0) return catalog;
  const without = mapTables(catalog, ({ oid }) => added.has(oid) || removed.has(oid), unlisted(name));
  const entry: ListedIn = { publication: name, columnList: false, rowFilter: false };
  return mapTables(
    without,
    ({ oid }) => added.has(oid),
    (listedIn) => [...listedIn, entry],
  );
}

function oidsOf(tables: readonly TableFacts[] = []): ReadonlySet<number> {
  return new Set(tables.map(({ oid }) => oid));
}

function unlisted(name: string) {
  return (listedIn: readonly ListedIn[]): ListedIn[] =>
    listedIn.filter(({ publication }) => publication !== name);
}

function mapTables(
  catalog: Catalog,
  concerns: (table: TableFacts) => boolean,
  map: (listedIn: readonly ListedIn[]) => readonly ListedIn[],
): Catalog {
  const tables = catalog.tables.map((table) =>
    concerns(table) ? { ...table, listedIn: map(table.listedIn) } : table,
  );
  return { ...catalog, tables };
}
