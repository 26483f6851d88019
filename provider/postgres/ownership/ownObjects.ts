import type { Catalog, PublicationFacts } from "../../contract/catalog";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { effectOfAdopting } from "./handMade";
import {
  decodeMark,
  existsAlready,
  hasMark,
  isMarkOfResource,
  ownership,
  type Mark,
  type Ownership,
} from "./mark";

/** An object of a database, as far as it says whose it is. */
export interface Owned {
  /** Name of the role that owns it. */
  readonly owner: string;
  readonly comment: string | null;
}

/**
 * Whether the role we act as owns the object. A comment alone is no proof: every role can write a mark of this module on
 * an object of its own. Superusers and members of the owner may act on the object too, but did not make it.
 */
export function isOwned({ owner }: Owned, { server }: Pick<Catalog, "server">): boolean {
  return owner === server.currentRole;
}

/** What owner and mark say about an object, seen from one resource. */
export function ownershipOf(object: Owned, expected: Mark, catalog: Pick<Catalog, "server">): Ownership {
  return isOwned(object, catalog) ? ownership(object.comment, expected) : "none";
}

/**
 * Whether this resource made the object, on whatever branch. Ask this only of an object that the state says this
 * resource made: restoring a branch gives it a new id, while its objects keep the mark with the old id.
 */
export function madeBy(object: Owned, expected: Mark, catalog: Pick<Catalog, "server">): boolean {
  const mark = markOn(object, catalog);
  return mark !== undefined && isMarkOfResource(mark, expected);
}

/** The mark on an object of the role we act as; `undefined` where it has none, and on an object of somebody else. */
export function markOn(object: Owned | undefined, catalog: Pick<Catalog, "server">): Mark | undefined {
  return object !== undefined && isOwned(object, catalog) ? decodeMark(object.comment)?.mark : undefined;
}

/**
 * The error text for a publication that exists already under the name of one that is to be made. It names the owner where
 * that is not the role we act as.
 */
export function publicationExists(object: PublicationFacts, expected: Mark, catalog: Catalog): string {
  const what = `Publication "${object.name}"`;
  if (isOwned(object, catalog)) {
    const found = ownershipOf(object, expected, catalog);
    return existsAlready(what, found, object.comment, expected, effectOfAdopting(object, found, catalog));
  }
  return `${what} exists already and ${notOwned(object, catalog)}. Choose another name, drop it, or have its owner changed: ALTER ${what} OWNER TO "${catalog.server.currentRole}".`;
}

/** Why an object of another owner is not the module's, as the end of a sentence. */
export function notOwned({ owner, comment }: Owned, { server }: Pick<Catalog, "server">): string {
  const marked = hasMark(comment) ? ", although its comment says so" : "";
  return `belongs to ${owner}, not to ${server.currentRole}: it was not made by this module${marked}`;
}

/** Names of the schemas that are the module's own: one, or none. Their tables are never tracked. */
export function ownSchemas(catalog: Catalog): ReadonlySet<string> {
  const own = catalog.schemas.filter(
    (schema) => schema.name === MODULE_SCHEMA && isOwned(schema, catalog) && hasMark(schema.comment),
  );
  return new Set(own.map(({ name }) => name));
}

/** The publication of this name, if a resource of this module made or adopted it. */
export function ownPublication(catalog: Catalog, name: string): PublicationFacts | undefined {
  return catalog.publications.find((found) => found.name === name && markOn(found, catalog) !== undefined);
}
