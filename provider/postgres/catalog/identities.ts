import type { Catalog, IndexFacts, TableFacts } from "../../contract/catalog";
import type { Reader } from "../../contract/session";

/** The catalog with the replica identities that some of its tables have by now, which is little to read. */
export async function withIdentities(
  session: Pick<Reader, "read">,
  catalog: Catalog,
  oids: readonly number[],
): Promise<Catalog> {
  const [row] = await session.read<{
    others: readonly (readonly [oid: number, identity: string | null, index: IndexFacts | null])[];
  }>(
    `SELECT coalesce(json_agg(json_build_array(w.oid::int8, c.relreplident,
              CASE WHEN x.oid IS NOT NULL THEN ${INDEX_FACTS} END)), '[]') AS others
       FROM unnest($1::oid[]) AS w (oid)
       LEFT JOIN pg_catalog.pg_class c ON c.oid = w.oid
       LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisreplident AND i.indisvalid
       LEFT JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      WHERE c.relreplident IS DISTINCT FROM 'f'`,
    [oids],
  );
  const read = new Set(oids);
  const others = new Map(row?.others.map(([oid, letter, index]) => [oid, { letter, index }]));
  const tables = catalog.tables.flatMap((table): TableFacts[] => {
    if (!read.has(table.oid)) return [table];
    const { letter, index } = others.get(table.oid) ?? { letter: "f", index: null };
    return letter === null ? [] : [{ ...table, identity: toIdentity(letter), identityIndex: index }];
  });
  return { ...catalog, tables };
}

/** SQL for the {@link IndexFacts} of `i`, a row of pg_index, with its row `x` of pg_class. */
export const INDEX_FACTS = `json_build_object('oid', x.oid::int8, 'name', x.relname, 'columns', (
            SELECT json_agg(a.attname ORDER BY k.place)
              FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE k.place <= i.indnkeyatts))`;

/** The identity for a letter of `pg_class.relreplident`. */
export function toIdentity(letter: string): TableFacts["identity"] {
  return letter === "f" ? "full" : letter === "n" ? "nothing" : letter === "i" ? "index" : "default";
}
