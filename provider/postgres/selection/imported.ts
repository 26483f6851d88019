import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import { membersOf, publishes } from "../catalog/membership";
import { tablesByOid } from "../catalog/tableIndex";
import { compareNames, formatTableName } from "../catalog/tableNames";
import { select, type Selection } from "./selection";

/** The selection that a program would give for what a publication publishes. */
export function publishedSelection(catalog: Catalog, publication: PublicationFacts): Selection {
  if (publication.allTables) return { allTables: true };
  const members = membersOf(catalog, publication.name);
  if (publication.schemas.length > 0 && members.length === 0) return { schemas: publication.schemas };
  const byOid = tablesByOid(catalog);
  const published = catalog.tables.filter((table) => publishes(publication, table, byOid));
  return asSelection(catalog, members, published);
}

/** The selection that a program would give for the tables whose replica identity is FULL. */
export function fullSelection(catalog: Catalog): Selection {
  const full = catalog.tables.filter(({ identity }) => identity === "full");
  return asSelection(catalog, full, full);
}

/**
 * Schemas, if they come to exactly these tables; otherwise the tables by name. Without any table it is the default of a
 * trail.
 *
 * @param named - the tables to name
 * @param all - these, and the partitions that come with them
 */
function asSelection(catalog: Catalog, named: readonly TableFacts[], all: readonly TableFacts[]): Selection {
  if (named.length === 0) return { schemas: ["public"] };
  const schemas = [...new Set(named.map(({ schema }) => schema))].sort();
  const selected = select(catalog, { schemas });
  const oids = new Set(all.map(({ oid }) => oid));
  const same =
    selected.rejected.length === 0 &&
    selected.tables.length === oids.size &&
    selected.tables.every(({ oid }) => oids.has(oid));
  return same ? { schemas } : { tables: [...named].sort(compareNames).map(formatTableName) };
}
