import * as z from "zod";
import type { Catalog, PublicationFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import { firstFew } from "../../contract/wording";
import { membersOf } from "../catalog/membership";
import { formatTableName } from "../catalog/tableNames";
import { decodeMark, encodeMark, type Appendix, type Mark } from "../ownership/mark";
import { isOwned } from "../ownership/ownObjects";
import { quoteIdentifier } from "../sql/quote";
import { partialMembers } from "./members";
import { OPERATIONS } from "./options";

const adopted = z.object({
  comment: z.string().nullable(),
  publish: z.string(),
  viaRoot: z.boolean(),
  generatedColumns: z.enum(["none", "stored"]).nullable(),
  /** Oids of the tables it listed. */
  members: z.array(z.number()),
  /** Whether it was for all tables. */
  allTables: z.boolean().default(false),
  /** Oids of the schemas that it published as a whole. */
  schemas: z.array(z.number()).default([]),
});

/** What an adopted publication was before; kept in its comment, behind the mark, until it is given back. */
export type Adopted = z.output<typeof adopted>;

/** Where the comment of an adopted publication keeps what it was before. */
const BEFORE: Appendix<Adopted> = { place: { property: "before" }, schema: adopted };

/** What the publication was before it was adopted; `undefined` when this module made it. */
export function adoptedFrom(comment: string | null): Adopted | undefined {
  return decodeMark(comment, BEFORE)?.appended;
}

/** The comment of an adopted publication: the mark, with what the publication was before. */
export function adoptionComment(mark: Mark, before: Adopted): string {
  return encodeMark(mark, BEFORE, before);
}

/** @throws UserError where a publication of somebody else cannot be adopted */
export function refuseAdoption(catalog: Catalog, publication: PublicationFacts): void {
  const { name } = publication;
  const refuse = (message: string): never => {
    throw new UserError(`The publication "${name}" cannot be adopted: ${message}`);
  };
  if (!isOwned(publication, catalog))
    refuse(
      `it belongs to ${publication.owner}, and who owns it can change it at any time. Have its owner changed: ALTER PUBLICATION ${quoteIdentifier(name)} OWNER TO ${quoteIdentifier(catalog.server.currentRole)}.`,
    );
  const partial = partialMembers(catalog, name);
  if (partial.length > 0)
    refuse(
      `it publishes only some columns or rows of ${firstFew(partial.map(formatTableName))}. Take them out of it first.`,
    );
}

/** What it takes to give the publication back as it is now. */
export function snapshotOf(catalog: Catalog, publication: PublicationFacts): Adopted {
  const { name, comment, viaRoot, generatedColumns, allTables } = publication;
  const operations = OPERATIONS.filter((key) => publication[key]);
  const members = membersOf(catalog, name).map(({ oid }) => oid);
  const schemas = catalog.schemas.filter((schema) => publication.schemas.includes(schema.name));
  return {
    comment,
    publish: operations.join(", "),
    viaRoot,
    generatedColumns,
    members,
    allTables,
    schemas: schemas.map(({ oid }) => oid),
  };
}
