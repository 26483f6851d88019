import { parseTableName } from "../catalog/tableNames";
import type { IdentityChoice } from "../selection/identityChoice";
import { LINES_SQL } from "../record/lines";
import { namedSql } from "./isSelected";
import { writtenHereSql } from "./tablesOfCommand";

/*
 * What the argument `identity` means in the function of the event trigger. selection/identityChoice.ts and
 * identity/trackedTables.ts say the same about a catalog.
 */

/**
 * Whether table `found` is asked to keep its key as identity. For most tables this is an expression without a query; for
 * partitions, the nearest table above that is named decides.
 */
export function asksForKeySql(identity: IdentityChoice = {}): string {
  const named = Object.entries(identity.tables ?? {}).map(([text, choice]) => ({
    name: parseTableName(text),
    choice,
  }));
  const otherwise = String(identity.default === "primaryKey");
  if (named.length === 0) return otherwise;
  const choice = (schema: string, name: string): string =>
    (["primaryKey", "full"] as const)
      .flatMap((value) => {
        const names = named.flatMap((each) => (each.choice === value ? [each.name] : []));
        return names.length === 0
          ? []
          : [`WHEN ${namedSql(names)(schema, name)} THEN ${String(value === "primaryKey")}`];
      })
      .join(" ");
  return `CASE ${choice("found.nspname", "found.relname")}
                 WHEN found.relispartition THEN coalesce((
                   SELECT CASE ${choice("an.nspname", "ac.relname")} END
                     FROM pg_partition_ancestors(found.oid) WITH ORDINALITY a (relid, n)
                     JOIN pg_class ac ON ac.oid = a.relid JOIN pg_namespace an ON an.oid = ac.relnamespace
                    WHERE CASE ${choice("an.nspname", "ac.relname")} END IS NOT NULL
                    ORDER BY a.n LIMIT 1), ${otherwise})
                 ELSE ${otherwise} END`;
}

/** Whether table `found` has a primary key that can serve as identity. */
export const HAS_KEY_SQL =
  "EXISTS (SELECT FROM pg_index i WHERE i.indrelid = found.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate)";

/** Whether the identity of table `found` names a row by a key. A partitioned table holds no rows. */
export const NAMES_ROWS_SQL = `CASE found.relreplident
                 WHEN 'd' THEN found.relkind = 'p' OR ${HAS_KEY_SQL}
                 WHEN 'i' THEN EXISTS (
                   SELECT FROM pg_index i WHERE i.indrelid = found.oid AND i.indisreplident AND i.indisvalid)
                 ELSE false END`;

/**
 * Whether table `found`, which is FULL, can have its key as identity from now on: this transaction has given it the
 * primary key, and the record does not say that it was FULL, or something else, before. So a table that a migration
 * makes without a key is FULL only until its key is there, and one that the application has set to FULL stays so.
 */
export const GETS_KEY_SQL = `EXISTS (
                   SELECT FROM pg_index i
                    WHERE i.indrelid = found.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate AND ${writtenHereSql("i")})
                 AND NOT coalesce((${LINES_SQL})[2]::jsonb -> 'previous', '[]') @>
                       jsonb_build_array(jsonb_build_object('oid', found.oid::int8))`;
