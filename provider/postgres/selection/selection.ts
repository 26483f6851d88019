import { UserError } from "../../contract/errors";
import type { Catalog, TableFacts } from "../../contract/catalog";
import { closest } from "../../contract/wording";
import {
  compareNames,
  formatTableName,
  parseTableName,
  tableKey,
  type TableName,
} from "../catalog/tableNames";
import { ownSchemas } from "../ownership/ownObjects";
import type { IdentityChoice } from "./identityChoice";

/**
 * Which tables the inputs ask for; every kind with a selection has these inputs. Exactly one of `schemas`, `tables` and
 * `allTables` is given.
 */
export interface Selection {
  /** Every table of these schemas, also those created later. Names are literal and case-sensitive. */
  readonly schemas?: readonly string[];
  /**
   * Exactly these tables, as `schema.table`; see {@link parseTableName}. A partitioned table stands for its partitions too,
   * and any table for those that inherit from it.
   */
  readonly tables?: readonly string[];
  /** Every table of the database, also those created later. */
  readonly allTables?: true;
  /** Tables to leave out, as `schema.table`, with their partitions and the tables that inherit from them. Default: none. */
  readonly excludeTables?: readonly string[];
  /** Which replica identity the tables get. It has no part in which tables are selected. Default: FULL for all. */
  readonly identity?: IdentityChoice;
}

/** What a {@link Selection} comes to in one database. */
export interface SelectedTables {
  /**
   * The tracked tables, ordered by name: ordinary tables, partitioned tables and all their partitions, in whatever
   * schema those are, and the tables that inherit from a named one. Extension members, unlogged tables, the module's own tables and excluded tables are not among
   * them.
   */
  readonly tables: readonly TableFacts[];
  /** Names in the inputs that cannot be honoured. */
  readonly rejected: readonly Rejected[];
  /** The tables that the inputs exclude, with their partitions. */
  readonly excluded: readonly TableFacts[];
  /** Names that no table has, where that does not keep an up from its work. */
  readonly missing: readonly MissingName[];
  /** Names in `identity.tables` of tables that are not tracked. */
  readonly idleIdentities: readonly string[];
  /** Tables of selected schemas that cannot be tracked, and that the inputs do not name. */
  readonly leftOut: readonly LeftOut[];
}

/** A name that cannot be honoured. The three texts read as sentences one after the other. */
export interface Rejected {
  /** The name as the user wrote it. */
  readonly subject: string;
  readonly message: string;
  readonly remedy: string;
}

/** A name that no table has, which may be of a table to come. */
export interface MissingName {
  /** As the user wrote it. */
  readonly subject: string;
  readonly argument: "excludeTables" | "identity.tables";
  /** The table that was probably meant, where one has a similar name. */
  readonly near: string | undefined;
}

/** A table that is not tracked although its schema is selected. */
export interface LeftOut {
  readonly table: TableFacts;
  readonly because: "unlogged" | "extension member";
}

/** Applies the selection to the tables of the database. Whatever cannot be honoured is in the result. */
export function select(catalog: Catalog, selection: Selection): SelectedTables {
  const own = ownSchemas(catalog);
  const index = new Map(catalog.tables.map((table) => [tableKey(table), table]));
  const rejected: Rejected[] = [];
  const missing: MissingName[] = [];

  /** The table that a name in an argument is for; one that is missing is noted. */
  const named = (text: string, argument: MissingName["argument"]): TableFacts | undefined => {
    const name = parse(text, rejected);
    if (name === undefined) return undefined;
    const table = index.get(tableKey(name));
    if (table !== undefined) return table;
    const near = suggest(catalog, name, own);
    if (sameButCase(near, name)) rejected.push(unknownTable(catalog, text, name, own));
    else
      missing.push({ subject: text, argument, near: near === undefined ? undefined : formatTableName(near) });
    return undefined;
  };

  const excluded = new Set<number>();
  for (const text of selection.excludeTables ?? []) {
    const table = named(text, "excludeTables");
    if (table !== undefined) excluded.add(table.oid);
  }
  const identities = new Map<string, TableFacts>();
  for (const text of Object.keys(selection.identity?.tables ?? {})) {
    const table = named(text, "identity.tables");
    if (table === undefined) continue;
    if ([...identities.values()].includes(table)) rejected.push(namedTwice(text));
    identities.set(text, table);
  }

  const asked = askedTables(catalog, selection, index, own, rejected);
  const askedOids = new Set(asked.map((table) => table.oid));
  // As ALTER PUBLICATION ... ADD TABLE does, the name of a table stands for those that inherit from it too.
  const inherits = ({ inheritsFrom }: TableFacts): boolean =>
    selection.tables !== undefined && inheritsFrom.some((oid) => askedOids.has(oid));
  const belongs = (table: TableFacts): boolean =>
    askedOids.has(table.oid) || table.ancestors.some((oid) => askedOids.has(oid)) || inherits(table);
  const isExcluded = ({ oid, ancestors, inheritsFrom }: TableFacts): boolean =>
    [oid, ...ancestors, ...inheritsFrom].some((each) => excluded.has(each));

  const tables: TableFacts[] = [];
  const leftOut: LeftOut[] = [];
  for (const table of catalog.tables) {
    if (!belongs(table) || own.has(table.schema) || isExcluded(table)) continue;
    if (table.extensionMember) leftOut.push({ table, because: "extension member" });
    else if (table.persistence !== "permanent") leftOut.push({ table, because: "unlogged" });
    else tables.push(table);
  }
  const tracked = new Map(tables.map((table) => [table.oid, table]));
  rejected.push(...excludedPartitions(catalog, excluded, tracked));
  return {
    tables: tables.sort(compareNames),
    rejected,
    excluded: catalog.tables.filter(isExcluded),
    missing,
    idleIdentities: [...identities].flatMap(([text, { oid }]) => (tracked.has(oid) ? [] : [text])),
    leftOut,
  };
}

/** Whether tables created later belong to the selection: it names schemas or everything, and not its tables. */
export function takesNewTables(selection: Pick<Selection, "tables">): boolean {
  return selection.tables === undefined;
}

function askedTables(
  catalog: Catalog,
  selection: Selection,
  index: ReadonlyMap<string, TableFacts>,
  own: ReadonlySet<string>,
  rejected: Rejected[],
): readonly TableFacts[] {
  if (selection.tables !== undefined) {
    const asked: TableFacts[] = [];
    for (const text of selection.tables) {
      const name = parse(text, rejected);
      if (name === undefined) continue;
      const table = index.get(tableKey(name));
      const problem =
        table === undefined ? unknownTable(catalog, text, name, own) : unsuitable(text, table, own);
      if (problem !== undefined) rejected.push(problem);
      else if (table !== undefined) asked.push(table);
    }
    return asked;
  }
  if (selection.schemas === undefined) return catalog.tables;
  for (const schema of selection.schemas) {
    if (!catalog.schemas.some(({ name }) => name === schema))
      rejected.push(unknownSchema(catalog, schema, own));
    else if (own.has(schema)) rejected.push(ownSchema(schema));
  }
  const schemas = new Set(selection.schemas);
  return catalog.tables.filter(({ schema }) => schemas.has(schema));
}

function parse(text: string, rejected: Rejected[]): TableName | undefined {
  try {
    return parseTableName(text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    rejected.push({
      subject: `"${text}"`,
      message: "is not a table name.",
      remedy:
        'Write schema.table, and put a part that has a dot or a quote in it in double quotes, as in public."my.table".',
    });
    return undefined;
  }
}

function unsuitable(text: string, table: TableFacts, own: ReadonlySet<string>): Rejected | undefined {
  if (own.has(table.schema)) return ownSchema(table.schema);
  if (table.extensionMember)
    return {
      subject: text,
      message: "belongs to an extension, which manages it.",
      remedy: "Take it out of tables.",
    };
  if (table.persistence !== "permanent")
    return {
      subject: text,
      message: `is ${table.persistence}: its changes are not in the write-ahead log, so no consumer can capture them.`,
      remedy: `Take it out of tables, or run ALTER TABLE ${text} SET LOGGED.`,
    };
  return undefined;
}

/** With and without quotes, a name is the same; of two choices for one table, neither is better. */
function namedTwice(subject: string): Rejected {
  return {
    subject,
    message: "is named twice in identity.tables.",
    remedy: "Keep one of the two entries.",
  };
}

function ownSchema(schema: string): Rejected {
  return {
    subject: schema,
    message: "holds this module's own records.",
    remedy: "Take it out of the selection.",
  };
}

function unknownSchema(catalog: Catalog, schema: string, own: ReadonlySet<string>): Rejected {
  const system = /^(pg_|information_schema$)/.test(schema);
  const near = closest(
    schema,
    catalog.schemas.flatMap(({ name }) => (own.has(name) ? [] : [name])),
  );
  return {
    subject: schema,
    message: system ? "is a schema of PostgreSQL itself." : "is not a schema of this database.",
    remedy:
      near === undefined
        ? system
          ? "Take it out of schemas."
          : "Create it first, or take it out of schemas."
        : `Did you mean ${near}? Names are case-sensitive.`,
  };
}

function unknownTable(catalog: Catalog, text: string, name: TableName, own: ReadonlySet<string>): Rejected {
  const other = catalog.otherRelations.find((relation) => tableKey(relation) === tableKey(name));
  if (other !== undefined)
    return {
      subject: text,
      message: `is a ${other.kind}: it has no changes of its own.`,
      remedy:
        other.kind === "foreign table" ? "Take it out of tables." : "Name the tables it reads from instead.",
    };
  const suggestion = suggest(catalog, name, own);
  return {
    subject: text,
    message: "is not a table of this database.",
    remedy:
      suggestion === undefined
        ? "Create it first, or take it out of the list."
        : `Did you mean ${formatTableName(suggestion)}? Names are literal and case-sensitive.`,
  };
}

/**
 * The table that was probably meant: the same name in another case, otherwise the same name in another schema, otherwise
 * a name in the same schema that is a typing error or two away.
 */
function suggest(catalog: Catalog, written: TableName, own: ReadonlySet<string>): TableName | undefined {
  const known = [...catalog.tables, ...catalog.otherRelations].filter(({ schema }) => !own.has(schema));
  const alike = known.filter(({ name }) => name.toLowerCase() === written.name.toLowerCase());
  const sameName =
    alike.find((name) => sameButCase(name, written)) ??
    alike.find(({ name }) => name === written.name) ??
    alike[0];
  if (sameName !== undefined) return sameName;
  const beside = known.filter(({ schema }) => schema === written.schema);
  const near = closest(
    written.name,
    beside.map(({ name }) => name),
  );
  return beside.find(({ name }) => name === near);
}

/**
 * Whether two names differ in nothing but upper and lower case. An exclusion that does is refused, as ignoring it would
 * track a table that the user wants left out. So is a name in `identity.tables`.
 */
function sameButCase(found: TableName | undefined, written: TableName): boolean {
  return found !== undefined && tableKey(found).toLowerCase() === tableKey(written).toLowerCase();
}

/** The problems of excluded partitions: the publication of a partitioned table publishes every one of its partitions. */
function excludedPartitions(
  catalog: Catalog,
  excluded: ReadonlySet<number>,
  tracked: ReadonlyMap<number, TableFacts>,
): Rejected[] {
  return catalog.tables.flatMap((table) => {
    const above = excluded.has(table.oid) ? table.ancestors.find((oid) => tracked.has(oid)) : undefined;
    const parent = above === undefined ? undefined : tracked.get(above);
    if (parent === undefined) return [];
    return [
      {
        subject: formatTableName(table),
        message: `cannot be excluded: it is a partition of ${formatTableName(parent)}, which is tracked with all its partitions.`,
        remedy: `Exclude ${formatTableName(parent)} as a whole, or keep the partition.`,
      },
    ];
  });
}
