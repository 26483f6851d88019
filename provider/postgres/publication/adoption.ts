import { z } from "zod";
import { UserError } from "../../contract/errors";
import { runTogether } from "../sql/block";
import type { Catalog, PublicationFacts } from "../../contract/catalog";
import { formatMark, type Mark } from "../ownership/mark";
import { formatTableName } from "../catalog/tableNames";
import { formOf, wantsEverything } from "./plan";
import { changeMembers } from "./statement";
import type { Wanted } from "../selection/selection";
import type { Session } from "../../contract/session";
import { membersOf } from "../catalog/membership";
import { firstFew } from "../../contract/wording";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

const before = z.object({
  comment: z.string().nullable(),
  publish: z.string(),
  viaRoot: z.boolean(),
  generatedColumns: z.enum(["none", "stored"]).nullable(),
  /** Oids of the tables it listed. */
  members: z.array(z.number()),
});

/** What an adopted publication was before; kept in its comment, behind the mark, until it is given back. */
type Before = z.infer<typeof before>;

/** What the publication was before it was adopted; `undefined` when this module made it. */
export function adoptedFrom(comment: string | null): Before | undefined {
  if (comment === null) return undefined;
  const brace = comment.indexOf("{");
  if (brace < 0) return undefined;
  try {
    const mark: unknown = JSON.parse(comment.slice(brace));
    return before.parse((mark as { before?: unknown }).before);
  } catch {
    return undefined;
  }
}

/** Puts the mark on somebody's publication, with what it takes to give it back as it was. Changes nothing else. */
export async function adopt(
  session: Session,
  catalog: Catalog,
  publication: PublicationFacts,
  wanted: Wanted,
  mark: Mark,
): Promise<void> {
  const { name, comment, viaRoot, generatedColumns } = publication;
  const members = membersOf(catalog, name);
  const refuse = (message: string): never => {
    throw new UserError(`The publication "${name}" cannot be adopted: ${message}`);
  };
  if (!publication.mayAlter)
    refuse(
      `it belongs to ${publication.owner}, whose rights our role does not have. Have its owner changed.`,
    );
  if (publication.schemas.length > 0)
    refuse("it publishes schemas, which cannot leave a table out. Drop it, and this module makes one.");
  if (publication.allTables && !wantsEverything(wanted))
    refuse("it publishes all tables, and only some are wanted. Drop it, and this module makes one.");
  const partial = members.filter(({ listedIn }) =>
    listedIn.some((entry) => entry.publication === name && (entry.columnList || entry.rowFilter)),
  );
  if (partial.length > 0)
    refuse(
      `it publishes only some columns or rows of ${firstFew(partial.map(formatTableName))}. Take them out of it first.`,
    );
  const operations = (["insert", "update", "delete", "truncate"] as const).filter((key) => publication[key]);
  const snapshot: Before = {
    comment,
    publish: operations.join(", "),
    viaRoot,
    generatedColumns,
    members: members.map(({ oid }) => oid),
  };
  const text = `${formatMark(mark).slice(0, -1)},"before":${JSON.stringify(snapshot)}}`;
  await runTogether(session, [`COMMENT ON PUBLICATION ${quoteIdentifier(name)} IS ${quoteLiteral(text)}`]);
}

/** Makes an adopted publication what it was: members, options, comment. The publication itself stays. */
export async function giveBack(
  session: Session,
  catalog: Catalog,
  publication: PublicationFacts,
  was: Before,
): Promise<void> {
  const { name } = publication;
  if (formOf(publication) === "table list") {
    const kept = new Set(was.members);
    const drop = membersOf(catalog, name).flatMap(({ oid }) => (kept.has(oid) ? [] : [oid]));
    await changeMembers(session, { publication: name, action: "DROP", tables: drop });
    await changeMembers(session, { publication: name, action: "ADD", tables: was.members });
  }
  const generated =
    was.generatedColumns === null ? "" : `, publish_generated_columns = ${was.generatedColumns}`;
  const quoted = quoteIdentifier(name);
  await runTogether(session, [
    `ALTER PUBLICATION ${quoted} SET (publish = ${quoteLiteral(was.publish)}, publish_via_partition_root = ${String(was.viaRoot)}${generated})`,
    `COMMENT ON PUBLICATION ${quoted} IS ${was.comment === null ? "NULL" : quoteLiteral(was.comment)}`,
  ]);
}
