import { UserError } from "../../contract/errors";
import { TABLE_NAME } from "../../contract/fields/selection";
import { firstFew } from "../../contract/wording";
import { quoteIdentifier } from "../sql/quote";

/** A relation's name, literal: not quoted, not folded. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/**
 * Reads `schema.table`. Names are literal and case-sensitive: `public.Orders` is the table `"Orders"`. A part that has
 * a dot or a quote in it stands in double quotes, as in `public."my.table"`.
 *
 * Throws a {@link UserError} for anything else.
 */
export function parseTableName(text: string): TableName {
  const match = TABLE_NAME.exec(text);
  const schema = part(match?.[1], match?.[2]);
  const name = part(match?.[3], match?.[4]);
  if (schema !== undefined && name !== undefined) return { schema, name };
  throw new UserError(
    text.includes(".")
      ? `"${text}" is not a table name. Write schema.table, and put a part that has a dot or a quote in it in double quotes, as in public."my.table".`
      : `The table name "${text}" lacks its schema. Write schema.table, for example public.${text}.`,
  );
}

function part(quoted: string | undefined, plain: string | undefined): string | undefined {
  return quoted?.replaceAll('""', '"') ?? plain;
}

/** The name in the form {@link parseTableName} reads: for messages, drift and fingerprints, never for SQL. */
export function formatTableName({ schema, name }: TableName): string {
  return `${formatPart(schema)}.${formatPart(name)}`;
}

function formatPart(text: string): string {
  return /[".]/.test(text) ? quoteIdentifier(text) : text;
}

/** A text that tells one name from all others, to look names up by. */
export function tableKey({ schema, name }: TableName): string {
  return `${schema}\0${name}`;
}

/** `"schema"."table"` for SQL. */
export function quoteTableName({ schema, name }: TableName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** Orders names by code units: the same on every machine and server, whatever their locales. */
export function compareNames(a: TableName, b: TableName): number {
  return compareText(a.schema, b.schema) || compareText(a.name, b.name);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `2 tables get ...: public.a, public.b`: what happens to tables, with the first few names. */
export function tablesSentence(tables: readonly TableName[], one: string, many: string): string {
  const subject = tables.length === 1 ? `1 table ${one}` : `${tables.length} tables ${many}`;
  return `${subject}: ${firstFew(tables.map(formatTableName))}`;
}
