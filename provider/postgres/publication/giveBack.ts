import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { firstFew } from "../../contract/wording";
import { membersOf, publishes } from "../catalog/membership";
import { publishability } from "../catalog/publishability";
import { reportLocked, type LockedTables } from "../catalog/lockedTables";
import { tablesByOid } from "../catalog/tableIndex";
import { formatTableName } from "../catalog/tableNames";
import { ownNames } from "../ownership/ownNames";
import { describeOlderWriters, runTogether, waitForOlderWriters } from "../sql/block";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { hasCode } from "../sql/sqlError";
import type { Adopted } from "./adoption";
import { OPERATIONS } from "./options";
import { takeName } from "./replacement";
import { withPublication } from "./hypothetical";
import { changeMembers, logRefused } from "./statement";

/** What is needed to give an adopted publication back. */
interface Return {
  readonly session: Session;
  readonly run: Pick<Run, "log" | "checkpoint">;
  /** As it is now. */
  readonly publication: PublicationFacts;
  /** As it was. */
  readonly before: Adopted;
}

/**
 * Makes an adopted publication what it was: tables, options, comment. One that was for all tables, or for schemas,
 * becomes so again unless that would make UPDATEs and DELETEs fail, or our role may not make one. Then it stays a list,
 * and a line says why.
 *
 * @throws UserError if an older write transaction, or a lock, holds that up: changes would be lost to the consumer
 */
export async function giveBack(work: Return): Promise<void> {
  const { session, run, publication, before } = work;
  const { name } = publication;
  const was = asBefore(await session.catalog(), publication, before);
  const staysList = isUnlisted(was) ? await unlist(work, was) : undefined;
  if (staysList === undefined && !was.allTables) await putMembersBack(work);
  const quoted = quoteIdentifier(name);
  await runTogether(session, [
    `ALTER PUBLICATION ${quoted} SET (${optionsOf(before)})`,
    `COMMENT ON PUBLICATION ${quoted} IS ${before.comment === null ? "NULL" : quoteLiteral(before.comment)}`,
  ]);
  run.log(
    staysList === undefined
      ? `The publication ${name} stays, as it was before it was adopted.`
      : `The publication ${name} stays, but as a list of its tables and not for ${was.allTables ? "all tables" : "whole schemas"} as before: ${staysList}.`,
  );
}

async function putMembersBack({ session, run, publication, before }: Return): Promise<void> {
  const { name } = publication;
  const catalog = await session.catalog();
  const kept = new Set(before.members);
  const leaving = membersOf(catalog, name).flatMap(({ oid }) => (kept.has(oid) ? [] : [oid]));
  for (const order of [
    { publication: name, action: "DROP", tables: leaving },
    { publication: name, action: "ADD", tables: before.members },
  ] as const) {
    const changes = await changeMembers(session, order);
    logRefused(changes, catalog, name, run);
    if (changes.locked > 0) throw await lockedOut(session, catalog, changes, name, name);
  }
}

/**
 * The error for tables that others keep locked. The publication keeps its mark then, so that the next destroy goes on.
 *
 * @param changed the publication whose members were being changed; `name` is the one to give back
 */
async function lockedOut(
  session: Session,
  catalog: Catalog,
  changes: LockedTables,
  name: string,
  changed: string,
): Promise<UserError> {
  const { names, held } = await reportLocked(session, catalog, changes, {
    of: "members",
    publication: changed,
  });
  return new UserError(
    `The publication ${name} could not be given back as it was, because other transactions kept tables locked: ${names}.${held} Run destroy again; what was done stays done.`,
  );
}

/** The publication as it was; schemas that no longer exist are left out. */
function asBefore(catalog: Catalog, publication: PublicationFacts, before: Adopted): PublicationFacts {
  const published = before.publish.split(", ");
  const operations = Object.fromEntries(OPERATIONS.map((name) => [name, published.includes(name)]));
  const { allTables, viaRoot, generatedColumns } = before;
  const schemas = catalog.schemas.filter(({ oid }) => before.schemas.includes(oid)).map(({ name }) => name);
  return { ...publication, ...operations, allTables, viaRoot, generatedColumns, schemas };
}

/** Whether the publication publishes tables that it does not list. */
function isUnlisted({ allTables, schemas }: PublicationFacts): boolean {
  return allTables || schemas.length > 0;
}

/**
 * Replaces a list by a publication for all tables or for schemas, as it was, in the way of `replaceByList`.
 *
 * @returns why it stays a list, as the end of a sentence; `undefined` when it is what it was
 */
async function unlist(
  { session, run, publication, before }: Return,
  was: PublicationFacts,
): Promise<string | undefined> {
  const { name, allTables, schemas } = publication;
  if (allTables === was.allTables && was.schemas.every((schema) => schemas.includes(schema)))
    return undefined;
  const broken = brokenBy(await session.catalog(), was);
  if (broken.length > 0)
    return `UPDATE and DELETE would fail on ${firstFew(broken.map(formatTableName))}, for want of a replica identity`;
  const { nextPublication: next } = ownNames(name);
  const contents = was.allTables
    ? "ALL TABLES"
    : `TABLES IN SCHEMA ${was.schemas.map(quoteIdentifier).join(", ")}`;
  try {
    await runTogether(session, [
      `CREATE PUBLICATION ${quoteIdentifier(next)} FOR ${contents} WITH (${optionsOf(before)})`,
      // The mark, with what the publication was: if this run is killed, the next one goes on.
      `COMMENT ON PUBLICATION ${quoteIdentifier(next)} IS ${quoteLiteral(publication.comment ?? "")}`,
    ]);
  } catch (error) {
    if (hasCode(error, "42501")) return `our role may not make such a publication (${error.reason})`;
    throw error;
  }
  const order = { publication: next, action: "ADD", tables: before.members } as const;
  const changes = await changeMembers(session, order);
  run.checkpoint();
  if (changes.locked > 0) throw await lockedOut(session, await session.catalog(), changes, name, next);
  if (!(await waitForOlderWriters(session)))
    throw new UserError(
      `The publication "${name}" could not be given back as it was: ${await describeOlderWriters(session)}. Run destroy again.`,
    );
  run.checkpoint();
  await takeName(session, name, run);
  return undefined;
}

/** The tables whose UPDATEs and DELETEs would fail beside this publication. */
function brokenBy(catalog: Catalog, publication: PublicationFacts): TableFacts[] {
  if (!publication.update && !publication.delete) return [];
  const beside = withPublication(catalog, publication);
  const byOid = tablesByOid(beside);
  return beside.tables.filter(
    (table) =>
      table.persistence === "permanent" &&
      publishes(publication, table, byOid) &&
      !publishability(table, beside).safe,
  );
}

/** The options as the publication had them, for `WITH` and `SET`. */
function optionsOf({ publish, viaRoot, generatedColumns }: Adopted): string {
  const generated = generatedColumns === null ? "" : `, publish_generated_columns = ${generatedColumns}`;
  return `publish = ${quoteLiteral(publish)}, publish_via_partition_root = ${String(viaRoot)}${generated}`;
}
