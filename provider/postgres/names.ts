import { createHash } from "node:crypto";
import { UserError } from "../errors";

/** A relation's name, literal: not quoted, not folded. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** One part of `schema.table`: in double quotes (`""` for a quote), or anything without a dot and a quote. */
const PART = String.raw`"((?:[^"]|"")+)"|([^".]+)`;
const TABLE_NAME = new RegExp(`^(?:${PART})\\.(?:${PART})$`, "u");

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

/** An identifier for SQL, always quoted. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."table"` for SQL. */
export function quoteTableName({ schema, name }: TableName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** A string literal for SQL, whatever `standard_conforming_strings` says. For values that cannot be bound. */
export function quoteLiteral(text: string): string {
  const doubled = text.replaceAll("'", "''");
  return doubled.includes("\\") ? ` E'${doubled.replaceAll("\\", "\\\\")}'` : `'${doubled}'`;
}

/** An array literal: PostgreSQL reads thousands of oids from it in a fraction of the time it takes for JSON. */
export function oidArray(oids: readonly number[]): string {
  return `{${oids.join(",")}}`;
}

/** Orders names by code units: the same on every machine and server, whatever their locales. */
export function compareNames(a: TableName, b: TableName): number {
  return compareText(a.schema, b.schema) || compareText(a.name, b.name);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `a, b, c and 7 more`: names the first few of a list that may be long. */
export function firstFew(names: readonly string[], limit = 5): string {
  const rest = names.length - limit;
  if (rest <= 0) return names.join(", ");
  return `${names.slice(0, limit).join(", ")} and ${rest} more`;
}

/** The names of what the module makes in a database besides role and publication. */
export interface OwnNames {
  /** Holds the record of previous identities and the functions of the event triggers. */
  readonly schema: string;
  readonly identityTrigger: string;
  readonly publishTrigger: string;
  /** While the publication changes its form: the publication that will take its place, and the one that had it. */
  readonly nextPublication: string;
  readonly formerPublication: string;
}

/** Names derived from the publication's, which separates the trails of one database; at most 63 bytes. */
export function ownNames(publication: string): OwnNames {
  const short =
    publication.length <= 50
      ? publication
      : `${publication.slice(0, 41)}_${createHash("md5").update(publication).digest("hex").slice(0, 8)}`;
  return {
    schema: `_${short}`,
    identityTrigger: `_${short}_identity`,
    publishTrigger: `_${short}_publish`,
    nextPublication: `${short}_new`,
    formerPublication: `${short}_old`,
  };
}
