import type { Catalog } from "../../contract/catalog";
import type { Session } from "../../contract/session";
import { decodeMark, ownership } from "../ownership/mark";
import { canHaveMade } from "../ownership/roleMaker";
import { knowsOids, readRecord, withRecord } from "../record/moduleSchema";
import { isEmpty, type AccessBefore, type DatabaseRecord } from "../record/record";
import { defaultKey, type Held } from "./privileges";

/*
 * What a role that this module did not make held before the module granted it anything. It is the section `access` of
 * the record in the comment of the module's schema. The entry belongs to the role, not to one resource: two resources
 * may grant the same role access.
 */

/**
 * The privileges that the role holds without this module.
 * - `nothing`: this module made the role, so it granted whatever the role holds;
 * - an entry of the record: what is in it;
 * - `everything`: neither, so this module never granted the role anything (or the record is of another database).
 */
export type HeldBefore = "nothing" | "everything" | AccessBefore;

/**
 * @param state the state of the resource: with one, an entry with an older branch id is its own, and its `roleOid` tells a
 *   role that this module made; `undefined` before a create
 * @throws UserError if the comment of the module's schema cannot be read
 */
export function heldBefore(
  session: Pick<Session, "target">,
  catalog: Catalog,
  role: string,
  state: { readonly roleOid?: number } | undefined,
): HeldBefore {
  const found = findEntry(readRecord(catalog), role);
  // The id of the branch tells entries apart. A copied branch has the record of its origin. A restored branch has its
  // own record under its former id, and there the state knows the resource.
  if (found !== undefined && (state !== undefined || found.branchId === session.target.branchId))
    return knowsOids(readRecord(catalog), catalog) ? found : "everything";
  return oidMadeHere(session, catalog, role, state) === undefined ? "everything" : "nothing";
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

/** The entry that says what the role holds now. */
export function entryOf(
  { target: { projectId, branchId } }: Pick<Session, "target">,
  role: string,
  held: Held,
): AccessBefore {
  return {
    projectId,
    branchId,
    role,
    tables: held.tables.map(({ oid }) => oid),
    schemas: held.schemas.map(({ oid }) => oid),
    defaults: held.defaults.map(defaultKey),
  };
}

/**
 * The record with the entry. An entry that another run has made on this branch meanwhile stays: what this run has seen
 * may be what that one granted.
 */
export function withEntry(record: DatabaseRecord, entry: AccessBefore): DatabaseRecord {
  const found = findEntry(record, entry.role);
  if (found?.branchId === entry.branchId) return record;
  return { ...record, access: [...withoutEntry(record, entry.role).access, entry] };
}

/** The record without the entry of the role. */
export function withoutEntry(record: DatabaseRecord, role: string): DatabaseRecord {
  return { ...record, access: record.access.filter((entry) => entry.role !== role) };
}

/** Whether the database has an entry for this role, of whatever branch. */
export function hasEntry(catalog: Catalog, role: string): boolean {
  return findEntry(readRecord(catalog), role) !== undefined;
}

/** The catalog once the record has been changed. */
export function afterChange(catalog: Catalog, change: (record: DatabaseRecord) => DatabaseRecord): Catalog {
  const record = change(readRecord(catalog));
  return withRecord(catalog, isEmpty(record) ? undefined : record);
}

/** The oid of the role, if a resource of this module made it: the state knows it also after the database's owner changed. */
export function oidMadeHere(
  session: Pick<Session, "target">,
  catalog: Catalog,
  role: string,
  state: { readonly roleOid?: number } | undefined,
): number | undefined {
  const oid = catalog.roles.find(({ name }) => name === role)?.oid;
  return oid === state?.roleOid || madeHere(session, catalog, role) ? oid : undefined;
}

function findEntry(record: DatabaseRecord, role: string): AccessBefore | undefined {
  return record.access.find((entry) => entry.role === role);
}

/**
 * Whether a resource of this module, whichever, made the role on this branch. The database in its mark does not count: a
 * trail that moves to another database takes its role along, and still has to revoke what it granted in the first one.
 */
function madeHere({ target }: Pick<Session, "target">, catalog: Catalog, role: string): boolean {
  const facts = catalog.roles.find(({ name }) => name === role);
  if (facts === undefined || !canHaveMade(catalog, facts)) return false;
  const { comment } = facts;
  const mark = decodeMark(comment)?.mark;
  if (mark === undefined) return false;
  const { projectId, branchId } = target;
  return ownership(comment, { ...mark, projectId, branchId, id: undefined }) === "ours";
}
