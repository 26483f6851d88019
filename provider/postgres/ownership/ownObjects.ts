import type { Catalog, PublicationFacts } from "../../contract/catalog";
import { decodeMark } from "./mark";

/** Names of the schemas that this module made for its own records and functions: they carry a mark. */
export function ownSchemas(catalog: Catalog): ReadonlySet<string> {
  return new Set(
    catalog.schemas.filter(({ comment }) => decodeMark(comment) !== undefined).map(({ name }) => name),
  );
}

/** The publication of this name, if a resource of this module made or adopted it. */
export function ownPublication(catalog: Catalog, name: string): PublicationFacts | undefined {
  return catalog.publications.find((found) => found.name === name && decodeMark(found.comment) !== undefined);
}
