import type { Catalog } from "../../contract/catalog";
import { formatTableName, parseTableName } from "../catalog/tableNames";
import type { Selection } from "./selection";
import { UserError } from "../../contract/errors";

/** The part of a selection that exists, and the names of the rest. */
export interface ExistingPart<Inputs> {
  readonly selection: Inputs;
  /** Tables as the user wrote them, and schemas as `schema app`. */
  readonly missing: readonly string[];
}

/**
 * Leaves out of a selection the tables and schemas that the database does not have. What exists but cannot be tracked
 * stays, and so does text that is no table's name.
 */
export function existingPart<Inputs extends Selection>(
  catalog: Catalog,
  selection: Inputs,
): ExistingPart<Inputs> {
  const relations = new Set([...catalog.tables, ...catalog.otherRelations].map(formatTableName));
  const schemas = new Set(catalog.schemas.map(({ name }) => name));
  const isMissing = (text: string): boolean => {
    try {
      return !relations.has(formatTableName(parseTableName(text)));
    } catch (error) {
      if (error instanceof UserError) return false;
      throw error;
    }
  };
  const missingTables = (selection.tables ?? []).filter(isMissing);
  // A schema of PostgreSQL itself is in no catalog of ours, and no migration makes one.
  const missingSchemas = (selection.schemas ?? []).filter(
    (name) => !schemas.has(name) && !/^(pg_|information_schema$)/.test(name),
  );
  return {
    selection: {
      ...selection,
      ...(selection.tables === undefined ? {} : { tables: without(selection.tables, missingTables) }),
      ...(selection.schemas === undefined ? {} : { schemas: without(selection.schemas, missingSchemas) }),
    },
    missing: [...missingSchemas.map((name) => `schema ${name}`), ...missingTables],
  };
}

function without(names: readonly string[], left: readonly string[]): readonly string[] {
  return names.filter((name) => !left.includes(name));
}
