import { createHash } from "node:crypto";
import { z } from "zod";
import type { Catalog } from "../../contract/catalog";
import { formatMark, ownership, parseMark, type Mark } from "../ownership/mark";
import { defaultKey, type Held } from "./query";
import type { Session } from "../../contract/session";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

/**
 * What a role could read before this module gave it anything, where the role is not this module's own: the comment of
 * an empty schema, made in the transaction of the first grant and dropped in that of the last revoke. So it survives
 * whatever happens to the program, and holds any number of tables without a row in anybody's stream.
 */
const record = z.object({
  /** Of the database: in a restored dump the oids below mean other objects. */
  database: z.number(),
  tables: z.array(z.number()),
  schemas: z.array(z.number()),
  /** See {@link defaultKey}. */
  defaults: z.array(z.string()),
});

/**
 * What the role holds without our doing. `created` says that the state has this resource.
 * - `nothing`: the role is our own, so all it holds comes from us;
 * - a record: what is in it;
 * - `everything`: neither, so we never gave it anything (or the record is of another database).
 */
export type Before = "nothing" | "everything" | z.infer<typeof record>;

export function readBefore(session: Session, catalog: Catalog, role: string, created: boolean): Before {
  const found = findRecord(catalog, role);
  // A copied branch comes with its origin's record; a restored one with ours under its old id, which the state knows.
  if (found !== undefined && (created || found.mark.branchId === session.target.branchId)) {
    const parsed = record.safeParse(JSON.parse(found.text));
    return parsed.success && parsed.data.database === catalog.server.databaseOid ? parsed.data : "everything";
  }
  return isOurs(session, catalog, role) ? "nothing" : "everything";
}

/** Of what the role holds, what we gave it. */
export function givenByUs(held: Held, before: Before): Held {
  if (before === "nothing") return held;
  if (before === "everything") return { tables: [], schemas: [], defaults: [] };
  const tables = new Set(before.tables);
  const schemas = new Set(before.schemas);
  const defaults = new Set(before.defaults);
  return {
    tables: held.tables.filter(({ oid }) => !tables.has(oid)),
    schemas: held.schemas.filter(({ oid }) => !schemas.has(oid)),
    defaults: held.defaults.filter((right) => !defaults.has(defaultKey(right))),
  };
}

/** The statements that write down what the role holds now. */
export function recordStatements(session: Session, catalog: Catalog, role: string, held: Held): string[] {
  const schema = quoteIdentifier(recordSchema(role));
  const mark = formatMark({ ...place(session), managedBy: managedBy(role) });
  const text: z.infer<typeof record> = {
    database: catalog.server.databaseOid,
    tables: held.tables.map(({ oid }) => oid),
    schemas: held.schemas.map(({ oid }) => oid),
    defaults: held.defaults.map(defaultKey),
  };
  return [
    ...(hasRecord(catalog, role) ? [] : [`CREATE SCHEMA ${schema}`]),
    `COMMENT ON SCHEMA ${schema} IS ${quoteLiteral(`${mark}\n${JSON.stringify(text)}`)}`,
  ];
}

/** The statement that ends the record, if there is one. */
export function forgetStatements(catalog: Catalog, role: string): string[] {
  if (!hasRecord(catalog, role)) return [];
  return [`DROP SCHEMA ${quoteIdentifier(recordSchema(role))}`];
}

export function hasRecord(catalog: Catalog, role: string): boolean {
  return findRecord(catalog, role) !== undefined;
}

function findRecord(
  catalog: Catalog,
  role: string,
): { readonly mark: Mark; readonly text: string } | undefined {
  const comment = catalog.schemas.find(({ name }) => name === recordSchema(role))?.comment;
  const mark = parseMark(comment);
  if (comment == null || mark?.managedBy !== managedBy(role)) return undefined;
  return { mark, text: comment.slice(comment.indexOf("\n") + 1) };
}

/** Whether this module made the role for this database, whichever of its resources. */
function isOurs(session: Session, catalog: Catalog, role: string): boolean {
  const comment = catalog.roles.find(({ name }) => name === role)?.comment;
  const mark = parseMark(comment);
  if (mark === undefined) return false;
  return ownership(comment, { ...place(session), managedBy: mark.managedBy }) === "ours";
}

function place(session: Session): Omit<Mark, "managedBy"> {
  const { projectId, branchId, database } = session.target;
  return { projectId, branchId, database: database.name };
}

function managedBy(role: string): string {
  return `read access of role ${role}`;
}

function recordSchema(role: string): string {
  const name = `_${role}_access`;
  if (Buffer.byteLength(name) <= 63) return name;
  return `_${createHash("md5").update(role).digest("hex")}_access`;
}
