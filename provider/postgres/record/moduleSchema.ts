import type { Catalog, SchemaFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import { firstFew } from "../../contract/wording";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { FUNCTION_PREFIX } from "../ownership/ownNames";
import { isOwned, notOwned } from "../ownership/ownObjects";
import { LOCK_VIEW } from "./lines";
import { decodeRecord, emptyRecord, encodeRecord, type DatabaseRecord } from "./record";

/** The schema of the module's name, whoever made it; `undefined` where there is none. */
export function moduleSchema(catalog: Catalog): SchemaFacts | undefined {
  return catalog.schemas.find(({ name }) => name === MODULE_SCHEMA);
}

/**
 * The schema if it is the module's: its owner is the role we act as, and its comment is a record. A comment alone is no
 * proof, because every role can write the same comment on a schema of its own.
 */
export function ownModuleSchema(catalog: Catalog): SchemaFacts | undefined {
  const schema = moduleSchema(catalog);
  return schema !== undefined && isOwned(schema, catalog) && decodeRecord(schema.comment) !== undefined
    ? schema
    : undefined;
}

/**
 * The record of this database; an empty one where there is none. Costs no statement.
 *
 * @throws UserError where the schema is the module's and its comment is not the record of this release
 */
export function readRecord(catalog: Catalog): DatabaseRecord {
  const record = decodeRecord(ownModuleSchema(catalog)?.comment);
  if (record === "unreadable")
    throw new UserError(
      `The comment on schema ${MODULE_SCHEMA} is not a record that this release of pulumi-neon-bemi can read: somebody edited it, or another release wrote it. Use that release, or put the comment back. If it is lost, run COMMENT ON SCHEMA ${MODULE_SCHEMA} IS NULL, drop what is in the schema, and run again: tables that are FULL then get DEFAULT on destroy.`,
    );
  return record ?? emptyRecord(catalog.server.databaseOid);
}

/** Whether the oids in the record mean the objects of this database. */
export function knowsOids(record: DatabaseRecord, catalog: Catalog): boolean {
  return record.database === catalog.server.databaseOid;
}

/**
 * @throws UserError where the schema of the module's name is somebody else's. A schema of the role we act as is no
 * obstacle if it is empty, or has lost its comment and holds nothing but what this module makes.
 */
export function refuseForeignSchema(catalog: Catalog): void {
  const found = foreignSchema(catalog);
  if (found !== undefined)
    throw new UserError(
      `${found} Nothing was changed. The module needs the name for what it has to give back: rename the schema or drop it.`,
    );
  readRecord(catalog);
}

/** Why the schema of the module's name is somebody else's, as sentences; `undefined` where it is not, or not there. */
export function foreignSchema(catalog: Catalog): string | undefined {
  const schema = moduleSchema(catalog);
  if (schema === undefined) return undefined;
  const { currentRole } = catalog.server;
  if (!isOwned(schema, catalog))
    return `The schema ${MODULE_SCHEMA} ${notOwned(schema, catalog)}. If the database got another owner, give it the schema too: ALTER SCHEMA ${MODULE_SCHEMA} OWNER TO "${currentRole}".`;
  const others = foreignObjects(catalog);
  if (ownModuleSchema(catalog) !== undefined || others.length === 0) return undefined;
  return `The schema ${MODULE_SCHEMA} was not made by this module, and is not empty: it holds ${firstFew(others)}.`;
}

/** What is in the module's schema and was not made by the module, for messages: it keeps the schema from being dropped. */
export function foreignObjects(catalog: Catalog): string[] {
  const { currentRole } = catalog.server;
  return catalog.inModuleSchema.flatMap(({ kind, name, owner }) => {
    const ours =
      owner === currentRole &&
      (kind === "view" ? name === LOCK_VIEW : kind === "function" && name.startsWith(FUNCTION_PREFIX));
    return ours ? [] : [`${kind} ${name}`];
  });
}

/** Whether the view is there that changes of the record lock. */
export function hasLockView(catalog: Catalog): boolean {
  return catalog.inModuleSchema.some(({ name, kind }) => kind === "view" && name === LOCK_VIEW);
}

/** The catalog once the record has been written; without the schema when nothing is left in the record. */
export function withRecord(catalog: Catalog, record: DatabaseRecord | undefined): Catalog {
  const others = catalog.schemas.filter(({ name }) => name !== MODULE_SCHEMA);
  if (record === undefined) return { ...catalog, schemas: others, inModuleSchema: [] };
  const owner = catalog.server.currentRole;
  // PostgreSQL gives a new schema an oid; no plan looks at it.
  const { oid } = moduleSchema(catalog) ?? { oid: 0 };
  return {
    ...catalog,
    schemas: [...others, { oid, name: MODULE_SCHEMA, owner, comment: encodeRecord(record) }],
    inModuleSchema: hasLockView(catalog)
      ? catalog.inModuleSchema
      : [...catalog.inModuleSchema, { kind: "view", name: LOCK_VIEW, owner }],
  };
}
