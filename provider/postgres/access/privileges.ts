import type { Catalog } from "../../contract/catalog";
import type { SelectedTables, Selection } from "../selection/selection";

/** A default privilege: the right to read what an owner creates later, in one schema or in the whole database. */
export interface DefaultPrivilege {
  readonly owner: string;
  /** `null`: wherever the owner creates something. */
  readonly schema: string | null;
  /** SELECT on new tables, or USAGE on new schemas. */
  readonly objects: "TABLES" | "SCHEMAS";
}

/** A {@link DefaultPrivilege}, and whether our role may change it: it then inherits the owner's rights. */
export interface DefaultRight extends DefaultPrivilege {
  readonly mayAct: boolean;
}

/** USAGE on a schema, and whether our role may grant and revoke it. */
export interface SchemaRight {
  readonly oid: number;
  readonly schema: string;
  readonly mayAct: boolean;
}

/** What the role lacks. A privilege through PUBLIC or through another role counts as one that the role has. */
export interface Missing {
  /** How many tables of the selection the role can read. */
  readonly readable: number;
  /**
   * Oids of the tables without SELECT. A table that has it can be unreadable all the same: in a schema that the role
   * may not use.
   */
  readonly tables: readonly number[];
  readonly schemas: readonly SchemaRight[];
  readonly defaults: readonly DefaultRight[];
}

/** What was granted to the role itself. */
export interface Held {
  readonly tables: readonly { readonly oid: number; readonly mayAct: boolean }[];
  readonly schemas: readonly SchemaRight[];
  readonly defaults: readonly DefaultRight[];
}

/** What a selection asks for. Default privileges, of everyone who owns tables in it, stand for new tables. */
export interface Scope {
  /** Oids of the selected tables. */
  readonly tables: readonly number[];
  /** Selected by name, with or without tables. */
  readonly schemas: readonly string[];
  readonly defaults: "nowhere" | "in these schemas" | "everywhere";
}

/** The scope of a selection and the tables it comes to. */
export function scopeOf(selection: Selection, selected: SelectedTables): Scope {
  const tables = selected.tables.map(({ oid }) => oid);
  if (selection.tables !== undefined) return { tables, schemas: [], defaults: "nowhere" };
  if (selection.schemas === undefined) return { tables, schemas: [], defaults: "everywhere" };
  return { tables, schemas: selection.schemas, defaults: "in these schemas" };
}

/** The held privileges that a scope asks for. */
export function within(held: Held, scope: Scope, catalog: Catalog): Held {
  const tables = new Set(scope.tables);
  const schemas = schemasOf(scope, catalog);
  return {
    tables: held.tables.filter(({ oid }) => tables.has(oid)),
    schemas: held.schemas.filter(({ schema }) => schemas.has(schema)),
    defaults: held.defaults.filter(({ schema }) =>
      schema === null
        ? scope.defaults === "everywhere"
        : scope.defaults === "in these schemas" && scope.schemas.includes(schema),
    ),
  };
}

/** The held privileges that are not among the kept ones. */
export function without(held: Held, kept: Held): Held {
  const tables = new Set(kept.tables.map(({ oid }) => oid));
  const schemas = new Set(kept.schemas.map(({ oid }) => oid));
  const defaults = new Set(kept.defaults.map(defaultKey));
  return {
    tables: held.tables.filter(({ oid }) => !tables.has(oid)),
    schemas: held.schemas.filter(({ oid }) => !schemas.has(oid)),
    defaults: held.defaults.filter((right) => !defaults.has(defaultKey(right))),
  };
}

/** The selection that comes nearest to what a role may read; `undefined` where it may read nothing. */
export function selectionHeld({ tables, defaults }: Held, catalog: Catalog): Selection | undefined {
  if (defaults.some(({ schema, objects }) => schema === null && objects === "TABLES"))
    return { allTables: true };
  const held = new Set(tables.map(({ oid }) => oid));
  const used = catalog.tables.filter(({ oid }) => held.has(oid)).map(({ schema }) => schema);
  const schemas = [...new Set([...defaults.flatMap(({ schema }) => schema ?? []), ...used])].sort();
  return schemas.length === 0 ? undefined : { schemas };
}

/** Identifies a default privilege: as text, for sets and for the record in the database. */
export function defaultKey({ owner, schema, objects }: DefaultPrivilege): string {
  return JSON.stringify([owner, schema, objects]);
}

function schemasOf(scope: Scope, catalog: Catalog): ReadonlySet<string> {
  const tables = new Set(scope.tables);
  const used = catalog.tables.filter(({ oid }) => tables.has(oid)).map(({ schema }) => schema);
  return new Set([...scope.schemas, ...used]);
}
