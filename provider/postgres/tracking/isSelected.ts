import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { parseTableName, quoteTableName, type TableName } from "../catalog/tableNames";
import type { Selection } from "../selection/selection";
import { quoteLiteral } from "../sql/quote";

/** A condition on the names of a schema and a table in it, given as SQL expressions. */
type Condition = (schema: string, name: string) => string;

/**
 * In the function of the event trigger, whether the selection has table `found`: by its own name, or by that of a table
 * above it. The oids of those are in `above`, and those of partitioned ones in `roots`. For most tables this is an expression without a query.
 */
export function isSelectedSql(selection: Selection): string {
  const excluded = selection.excludeTables ?? [];
  return `found.nspname <> ${quoteLiteral(MODULE_SCHEMA)}
      AND ${family(asked(selection), selection.tables === undefined ? "roots" : "above")}${
        excluded.length === 0 ? "" : ` AND NOT ${family(namedSql(excluded.map(parseTableName)), "above")}`
      }`;
}

function asked({ tables, schemas }: Selection): Condition {
  if (tables !== undefined) return namedSql(tables.map(parseTableName));
  if (schemas !== undefined) return (schema) => `${schema} = ANY (${nameArray(schemas)})`;
  return (schema) => `${schema} !~ '^pg_' AND ${schema} <> 'information_schema'`;
}

/**
 * Whether a table has one of the names. They are compared as one text, because PostgreSQL looks an element of a long
 * array up by its hash.
 */
export function namedSql(names: readonly TableName[]): Condition {
  const quoted = (part: string): string => `'"' || replace(${part}::text, '"', '""') || '"'`;
  return (schema, name) =>
    `${quoted(schema)} || '.' || ${quoted(name)} = ANY (${nameArray(names.map(quoteTableName))})`;
}

function nameArray(names: readonly string[]): string {
  return `ARRAY[${names.map(quoteLiteral).join(", ")}]::text[]`;
}

/** @param oids the array with the tables above that count: only the name of a table stands for those that inherit from it */
function family(condition: Condition, oids: "above" | "roots"): string {
  return `(${condition("found.nspname", "found.relname")} OR cardinality(${oids}) > 0 AND EXISTS (
      SELECT FROM pg_class fc JOIN pg_namespace fn ON fn.oid = fc.relnamespace
       WHERE fc.oid = ANY (${oids}) AND ${condition("fn.nspname", "fc.relname")}))`;
}
