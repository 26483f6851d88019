import { createHash } from "node:crypto";
import { z } from "zod";
import type { Catalog } from "../../contract/catalog";
import type { Session } from "../../contract/session";
import {
  databaseObjectMark,
  decodeMark,
  encodeMark,
  ownership,
  type Appendix,
  type DecodedMark,
} from "../ownership/mark";
import { canHaveMade } from "../ownership/roleMaker";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { defaultKey, type Held } from "./privileges";

/**
 * The privileges that a role held before this module granted it anything, for a role that this module did not make.
 * They are kept in the comment of an empty schema, which the transaction of the first grant makes and that of the last
 * revoke drops. So the record survives a killed program, and any number of tables fits without a row that a consumer
 * would get to see.
 */
const privileges = z.object({
  /** Oid of the database: in a restored dump the oids below mean other objects. */
  database: z.number(),
  tables: z.array(z.number()),
  schemas: z.array(z.number()),
  /** See {@link defaultKey}. */
  defaults: z.array(z.string()),
});

type RecordedPrivileges = z.infer<typeof privileges>;

const RECORD: Appendix<RecordedPrivileges> = { place: "second line", schema: privileges };

/**
 * The privileges that the role holds without this module.
 * - `nothing`: this module made the role, so it granted whatever the role holds;
 * - a record: what is in it;
 * - `everything`: neither, so this module never granted the role anything (or the record is of another database).
 */
export type HeldBefore = "nothing" | "everything" | RecordedPrivileges;

/** @param created whether the state has this resource, so that a record with an older branch id is its own */
export function heldBefore(
  session: Pick<Session, "target">,
  catalog: Catalog,
  role: string,
  created: boolean,
): HeldBefore {
  const found = findRecord(catalog, role);
  // The id of the branch tells records apart. A copied branch has the record of its origin. A restored branch has its
  // own record under its former id, and there the state knows the resource.
  if (found !== undefined && (created || found.mark.branchId === session.target.branchId)) {
    const { appended } = found;
    return appended?.database === catalog.server.databaseOid ? appended : "everything";
  }
  return madeHere(session, catalog, role) ? "nothing" : "everything";
}

/** The held privileges that this module granted. */
export function grantedHere(held: Held, before: HeldBefore): Held {
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
export function recordStatements(
  session: Pick<Session, "target">,
  catalog: Catalog,
  role: string,
  held: Held,
): string[] {
  const schema = quoteIdentifier(recordSchema(role));
  return [
    ...(hasRecord(catalog, role) ? [] : [`CREATE SCHEMA ${schema}`]),
    `COMMENT ON SCHEMA ${schema} IS ${quoteLiteral(recordComment(session, catalog, role, held))}`,
  ];
}

/** The comment that holds the record: the mark, and in the next line what the role holds now. */
export function recordComment(
  session: Pick<Session, "target">,
  catalog: Catalog,
  role: string,
  held: Held,
): string {
  return encodeMark(databaseObjectMark(session, { managedBy: managedBy(role) }), RECORD, {
    database: catalog.server.databaseOid,
    tables: held.tables.map(({ oid }) => oid),
    schemas: held.schemas.map(({ oid }) => oid),
    defaults: held.defaults.map(defaultKey),
  });
}

/** The catalog once the record has been written, or ended by `undefined`. The schema has no oid yet. */
export function withRecord(catalog: Catalog, role: string, comment: string | undefined): Catalog {
  const name = recordSchema(role);
  const others = catalog.schemas.filter((schema) => schema.name !== name);
  if (comment === undefined) return { ...catalog, schemas: others };
  const owner = catalog.server.currentRole;
  return { ...catalog, schemas: [...others, { oid: 0, name, owner, comment }] };
}

/** The statement that ends the record. */
export function dropRecordStatement(role: string): string {
  return `DROP SCHEMA ${quoteIdentifier(recordSchema(role))}`;
}

/** Whether the database has a record for this role, of whatever branch. */
export function hasRecord(catalog: Catalog, role: string): boolean {
  return findRecord(catalog, role) !== undefined;
}

function findRecord(catalog: Catalog, role: string): DecodedMark<RecordedPrivileges> | undefined {
  const schema = catalog.schemas.find(({ name }) => name === recordSchema(role));
  const found = decodeMark(schema?.comment, RECORD);
  return found?.mark.managedBy === managedBy(role) ? found : undefined;
}

/** Whether a resource of this module, whichever, made the role for this database. */
function madeHere(session: Pick<Session, "target">, catalog: Catalog, role: string): boolean {
  const facts = catalog.roles.find(({ name }) => name === role);
  if (facts === undefined || !canHaveMade(catalog, facts)) return false;
  const { comment } = facts;
  const mark = decodeMark(comment)?.mark;
  return mark !== undefined && ownership(comment, databaseObjectMark(session, mark)) === "ours";
}

/** The record belongs to the role, not to one resource: two resources may grant the same role access. */
function managedBy(role: string): string {
  return `read access of role ${role}`;
}

/** Name of the schema whose comment is the record. */
export function recordSchema(role: string): string {
  const name = `_${role}_access`;
  if (Buffer.byteLength(name) <= 63) return name;
  return `_${createHash("md5").update(role).digest("hex")}_access`;
}
