import type { Catalog, TableFacts } from "../../contract/catalog";
import { knowsOids } from "./moduleSchema";
import type { DatabaseRecord, PreviousIdentity } from "./record";

/**
 * The entries of the record by the oid that their tables have in this database. The oid in an entry comes first, if the
 * record is of this database; then the name, as in a restored dump. Entries of dropped tables are left out.
 */
export function previousByOid(
  record: DatabaseRecord,
  catalog: Catalog,
): ReadonlyMap<number, PreviousIdentity> {
  const known = knowsOids(record, catalog);
  const oids = new Set(catalog.tables.map(({ oid }) => oid));
  const byName = new Map(catalog.tables.map(({ schema, name, oid }) => [key(schema, name), oid]));
  const found = new Map<number, PreviousIdentity>();
  // By name first, so that an entry that is found by its oid takes precedence.
  const ordered = [...record.previous].sort(
    (a, b) => Number(known && oids.has(a.oid)) - Number(known && oids.has(b.oid)),
  );
  for (const entry of ordered) {
    const oid = known && oids.has(entry.oid) ? entry.oid : byName.get(key(entry.schema, entry.name));
    if (oid !== undefined) found.set(oid, entry);
  }
  return found;
}

/**
 * A record that came with a restored dump or a copied template, with the oids that its tables have here. What it says
 * of privileges goes, because the dump has restored the roles' privileges or not, and nobody can tell.
 */
export function withOidsOf(record: DatabaseRecord, catalog: Catalog): DatabaseRecord {
  const byOid = new Map(catalog.tables.map((table) => [table.oid, table]));
  const previous = [...previousByOid(record, catalog)].flatMap(([oid, entry]) => {
    const table = byOid.get(oid);
    return table === undefined ? [] : [here(entry, table)];
  });
  return { ...record, database: catalog.server.databaseOid, previous, access: [] };
}

/** The entry for a table of this database. The oid of the index means another object here, so it goes. */
function here(entry: PreviousIdentity, { oid, schema, name }: TableFacts): PreviousIdentity {
  const { index } = entry;
  return { ...entry, oid, schema, name, ...(index === undefined ? {} : { index: { ...index, oid: 0 } }) };
}

function key(schema: string, name: string): string {
  return `${schema}\0${name}`;
}
