import type { Catalog } from "../../contract/catalog";
import type { ReadAccessInputs } from "../../contract/kinds/readAccess";
import type { TableName } from "../catalog/tableNames";
import { tablesByOid } from "../catalog/tableIndex";
import { select, type Selection } from "../selection/selection";
import {
  scopeOf,
  within,
  without,
  type DefaultPrivilege,
  type DefaultRight,
  type Held,
  type Missing,
  type Scope,
} from "./privileges";
import { grantedHere, hasEntry, type HeldBefore } from "./record";

/** A change of what one role may read. All steps of a plan concern the same role. */
export type AccessStep =
  | { readonly step: "record privileges"; readonly role: string }
  | { readonly step: "grant usage"; readonly role: string; readonly schemas: readonly string[] }
  | { readonly step: "grant select"; readonly role: string; readonly tables: readonly TableName[] }
  | {
      readonly step: "grant default privileges";
      readonly role: string;
      readonly privileges: readonly DefaultPrivilege[];
    }
  | {
      readonly step: "revoke default privileges";
      readonly role: string;
      readonly privileges: readonly DefaultPrivilege[];
    }
  | { readonly step: "revoke select"; readonly role: string; readonly tables: readonly TableName[] }
  | { readonly step: "revoke usage"; readonly role: string; readonly schemas: readonly string[] }
  | { readonly step: "drop record"; readonly role: string };

/** What a selection asks for in this database. */
export function scopeIn(catalog: Catalog, selection: Selection): Scope {
  return scopeOf(selection, select(catalog, selection));
}

/**
 * The steps that grant what is missing. Before the first grant to a role that this module did not make, the privileges
 * it holds are recorded, so that a destroy can tell them from those granted here.
 */
export function planGrants(
  catalog: Catalog,
  { role }: Pick<ReadAccessInputs, "role">,
  { missing, before }: { readonly missing: Missing; readonly before: HeldBefore },
): AccessStep[] {
  const { tables, schemas, defaults } = grantable(missing, catalog);
  const grants: AccessStep[] = [
    ...some(schemas, (list) => ({
      step: "grant usage",
      role,
      schemas: list.map(({ schema }) => schema),
    })),
    ...some(namesOf(tables, catalog), (list) => ({ step: "grant select", role, tables: list })),
    ...some(defaults, (list) => ({
      step: "grant default privileges",
      role,
      privileges: list.map(privilegeOf),
    })),
  ];
  const first = before === "everything";
  // A record that a copied branch has from its origin is replaced in any case: from now on it would count as valid.
  if (grants.length === 0 && !(first && hasEntry(catalog, role))) return [];
  return first ? [{ step: "record privileges", role }, ...grants] : grants;
}

/**
 * The steps that revoke what was granted for the state's selection.
 *
 * @param facts `held`: what was granted to the role, nothing if the role is gone; `before`: see {@link HeldBefore}
 * @param kept inputs whose privileges stay, also those of other resources; without any, everything goes, and the record too
 */
export function planRevokes(
  catalog: Catalog,
  state: Pick<ReadAccessInputs, "role"> & Selection,
  { held, before }: { readonly held: Held; readonly before: HeldBefore },
  ...kept: readonly Selection[]
): AccessStep[] {
  const { role } = state;
  const granted = within(grantedHere(held, before), scopeIn(catalog, state), catalog);
  const unwanted = kept.reduce(
    (rest, selection) => without(rest, within(rest, scopeIn(catalog, selection), catalog)),
    granted,
  );
  const tables = namesOf(
    unwanted.tables.filter(mayAct).map(({ oid }) => oid),
    catalog,
  );
  const revokes = [
    ...some(unwanted.defaults.filter(mayAct), (list) => ({
      step: "revoke default privileges",
      role,
      privileges: list.map(privilegeOf),
    })),
    ...some(tables, (list) => ({ step: "revoke select", role, tables: list })),
    ...some(unwanted.schemas.filter(mayAct), (list) => ({
      step: "revoke usage",
      role,
      schemas: list.map(({ schema }) => schema),
    })),
  ];
  if (kept.length === 0 && hasEntry(catalog, role)) revokes.push({ step: "drop record", role });
  return revokes;
}

/** The part of what is missing that our role may grant. The rest is no drift: the next up could not grant it either. */
export function grantable(missing: Missing, catalog: Catalog): Missing {
  return partOf(missing, catalog, true);
}

/** The part of what is missing that our role may not grant. */
export function refusedTo(missing: Missing, catalog: Catalog): Missing {
  return partOf(missing, catalog, false);
}

function partOf(missing: Missing, catalog: Catalog, grantable: boolean): Missing {
  const byOid = tablesByOid(catalog);
  return {
    readable: missing.readable,
    tables: missing.tables.filter((oid) => (byOid.get(oid)?.mayAlter === true) === grantable),
    schemas: missing.schemas.filter((right) => right.mayAct === grantable),
    defaults: missing.defaults.filter((right) => right.mayAct === grantable),
  };
}

/** The names of the tables with these oids. Tables that the catalog does not have are left out. */
export function namesOf(oids: readonly number[], catalog: Catalog): TableName[] {
  const byOid = tablesByOid(catalog);
  return oids.flatMap((oid) => {
    const table = byOid.get(oid);
    return table === undefined ? [] : [{ schema: table.schema, name: table.name }];
  });
}

function mayAct(right: { readonly mayAct: boolean }): boolean {
  return right.mayAct;
}

function privilegeOf({ owner, schema, objects }: DefaultRight): DefaultPrivilege {
  return { owner, schema, objects };
}

/** A step over a list, unless the list is empty. */
function some<Value>(list: readonly Value[], make: (list: readonly Value[]) => AccessStep): AccessStep[] {
  return list.length === 0 ? [] : [make(list)];
}
