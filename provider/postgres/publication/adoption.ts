import * as z from "zod";
import { UserError } from "../../contract/errors";
import type { Run } from "../../contract/kind";
import { reportLocked } from "../catalog/lockedTables";
import { nameTable } from "../catalog/tableIndex";
import { runTogether } from "../sql/block";
import type { Catalog, PublicationFacts } from "../../contract/catalog";
import { decodeMark, encodeMark, type Appendix, type Mark } from "../ownership/mark";
import { formatTableName } from "../catalog/tableNames";
import { isOwned } from "../ownership/ownObjects";
import { formOf, selectsEverything } from "./wantedForm";
import { partialMembers } from "./members";
import { changeMembers } from "./statement";
import type { Selection } from "../selection/selection";
import type { Session } from "../../contract/session";
import { membersOf } from "../catalog/membership";
import { firstFew } from "../../contract/wording";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

const adopted = z.object({
  comment: z.string().nullable(),
  publish: z.string(),
  viaRoot: z.boolean(),
  generatedColumns: z.enum(["none", "stored"]).nullable(),
  /** Oids of the tables it listed. */
  members: z.array(z.number()),
});

/** What an adopted publication was before; kept in its comment, behind the mark, until it is given back. */
export type Adopted = z.infer<typeof adopted>;

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

/** Throws a {@link UserError} where a publication of somebody else cannot be adopted for this selection. */
export function refuseAdoption(catalog: Catalog, publication: PublicationFacts, selection: Selection): void {
  const { name } = publication;
  const refuse = (message: string): never => {
    throw new UserError(`The publication "${name}" cannot be adopted: ${message}`);
  };
  if (!isOwned(publication, catalog))
    refuse(
      `it belongs to ${publication.owner}, and who owns it can change it at any time. Have its owner changed: ALTER PUBLICATION ${quoteIdentifier(name)} OWNER TO ${quoteIdentifier(catalog.server.currentRole)}.`,
    );
  if (publication.schemas.length > 0)
    refuse("it publishes schemas, which cannot leave a table out. Drop it, and this module makes one.");
  if (publication.allTables && !selectsEverything(selection))
    refuse("it publishes all tables, and only some are wanted. Drop it, and this module makes one.");
  const partial = partialMembers(catalog, name);
  if (partial.length > 0)
    refuse(
      `it publishes only some columns or rows of ${firstFew(partial.map(formatTableName))}. Take them out of it first.`,
    );
}

/** What it takes to give the publication back as it is now. */
export function snapshotOf(catalog: Catalog, publication: PublicationFacts): Adopted {
  const { name, comment, viaRoot, generatedColumns } = publication;
  const operations = (["insert", "update", "delete", "truncate"] as const).filter((key) => publication[key]);
  const members = membersOf(catalog, name).map(({ oid }) => oid);
  return { comment, publish: operations.join(", "), viaRoot, generatedColumns, members };
}

/**
 * Makes an adopted publication what it was: members, options, comment. The publication itself stays.
 *
 * @throws UserError if others keep tables locked: the publication keeps its mark then, so that the next destroy goes on
 */
export async function giveBack(
  session: Session,
  catalog: Catalog,
  publication: PublicationFacts,
  before: Adopted,
  run: Pick<Run, "log">,
): Promise<void> {
  const { name } = publication;
  if (formOf(publication) === "table list") {
    const kept = new Set(before.members);
    const drop = membersOf(catalog, name).flatMap(({ oid }) => (kept.has(oid) ? [] : [oid]));
    for (const order of [
      { publication: name, action: "DROP", tables: drop },
      { publication: name, action: "ADD", tables: before.members },
    ] as const) {
      const changes = await changeMembers(session, order);
      for (const { oid, reason } of changes.refused)
        run.log(`Publication ${name}, table ${nameTable(catalog, oid)}: ${reason}.`);
      if (changes.locked === 0) continue;
      const { names, held } = await reportLocked(session, catalog, changes, {
        of: "members",
        publication: name,
      });
      throw new UserError(
        `The publication ${name} could not be given back as it was, because other transactions kept tables locked: ${names}.${held} Run destroy again; what was done stays done.`,
      );
    }
  }
  const generated =
    before.generatedColumns === null ? "" : `, publish_generated_columns = ${before.generatedColumns}`;
  const quoted = quoteIdentifier(name);
  await runTogether(session, [
    `ALTER PUBLICATION ${quoted} SET (publish = ${quoteLiteral(before.publish)}, publish_via_partition_root = ${String(before.viaRoot)}${generated})`,
    `COMMENT ON PUBLICATION ${quoted} IS ${before.comment === null ? "NULL" : quoteLiteral(before.comment)}`,
  ]);
}
