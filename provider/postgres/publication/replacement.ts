import type { Catalog, PublicationFacts } from "../../contract/catalog";
import { reportLocked } from "../catalog/lockedTables";
import type { Run } from "../../contract/kind";
import type { PublicationInputs } from "../../contract/kinds/publication";
import type { Session } from "../../contract/session";
import { membersOf } from "../catalog/membership";
import { ownNames } from "../ownership/ownNames";
import { describeOlderWriters, runTogether, waitForOlderWriters } from "../sql/block";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { planMembers } from "./members";
import { optionsSql } from "./options";
import { findPublication } from "./plan";
import { changeMembers, dropPublication } from "./statement";

/** Creates a publication with its comment and without tables. */
export async function createPublication(session: Session, name: string, comment: string): Promise<void> {
  const quoted = quoteIdentifier(name);
  await runTogether(session, [
    `CREATE PUBLICATION ${quoted} WITH ${optionsSql(session.serverVersion)}`,
    `COMMENT ON PUBLICATION ${quoted} IS ${quoteLiteral(comment)}`,
  ]);
}

/**
 * Empties a publication and drops it. Emptied first, because a statement of the app that has just read that its table
 * is a member fails when it cannot find the publication a moment later.
 */
export async function emptyAndDrop(
  session: Session,
  catalog: Catalog,
  publication: PublicationFacts,
): Promise<void> {
  const { name, allTables, schemas } = publication;
  const alter = `ALTER PUBLICATION ${quoteIdentifier(name)}`;
  if (allTables) await runTogether(session, [`${alter} SET (publish = '')`]);
  else {
    const tables = membersOf(catalog, name).map(({ oid }) => oid);
    await changeMembers(session, { publication: name, action: "DROP", tables });
    if (schemas.length > 0) await runTogether(session, [dropSchemasSql(name, schemas)]);
  }
  await session.read("SELECT pg_catalog.pg_sleep(0.1)");
  await dropPublication(session, publication);
}

/** The statement that makes a publication no longer publish these schemas as a whole. Its owner may always do so. */
export function dropSchemasSql(name: string, schemas: readonly string[]): string {
  return `ALTER PUBLICATION ${quoteIdentifier(name)} DROP TABLES IN SCHEMA ${schemas.map(quoteIdentifier).join(", ")}`;
}

/**
 * Replaces a publication for all tables, which cannot be changed into a list, by a list under the same name. So that a
 * consumer loses no change of a transaction that is open meanwhile, it waits for all older writers before the renaming,
 * and again before it drops the former publication: whichever of the two the consumer looks up for such a transaction
 * then exists.
 *
 * If it cannot be done yet, the publication stays as it was until the next up, and a line says why.
 *
 * @param comment the comment of the new publication
 */
export async function replaceByList(
  session: Session,
  inputs: PublicationInputs,
  comment: string,
  run: Run,
): Promise<void> {
  const { name } = inputs;
  const { nextPublication: next } = ownNames(name);
  const keeps = (because: string): void => {
    run.log(`The publication ${name} stays one for all tables until the next up: ${because}.`);
  };
  await createPublication(session, next, comment);
  // Fill it again after each wait: transactions that began before it existed may have created tables, and event
  // triggers add to it only what is created after that.
  const tried = new Set<number>();
  let added: number | string;
  do {
    added = await fill(session, inputs, next, tried);
    if (typeof added === "string") {
      keeps(added);
      return;
    }
    run.checkpoint();
    if (!(await waitForOlderWriters(session))) {
      keeps(await describeOlderWriters(session));
      return;
    }
    run.checkpoint();
  } while (added > 0);
  await takeName(session, name, run);
}

/**
 * Gives a publication's name to the one that is to replace it, which must be complete, and drops the former one. Before,
 * {@link waitForOlderWriters} must have succeeded. If older writers hold up the very end, the former publication stays
 * until the next run.
 */
export async function takeName(session: Session, name: string, run: Pick<Run, "log">): Promise<void> {
  const { nextPublication: next, formerPublication: former } = ownNames(name);
  await runTogether(session, [
    `ALTER PUBLICATION ${quoteIdentifier(name)} RENAME TO ${quoteIdentifier(former)}`,
    `ALTER PUBLICATION ${quoteIdentifier(next)} RENAME TO ${quoteIdentifier(name)}`,
  ]);
  if (!(await waitForOlderWriters(session))) {
    run.log(`The publication ${former} stays until the next run: ${await describeOlderWriters(session)}.`);
    return;
  }
  const catalog = await session.catalog();
  const left = findPublication(catalog, former);
  if (left !== undefined) await emptyAndDrop(session, catalog, left);
}

/**
 * Adds every table that is ready to the new list. Returns how many were added; the reason, as the end of a sentence, when
 * not all could be.
 */
async function fill(
  session: Session,
  inputs: PublicationInputs,
  next: string,
  tried: Set<number>,
): Promise<number | string> {
  const catalog = await session.catalog();
  const publication = findPublication(catalog, next);
  if (publication === undefined) return `somebody has dropped the publication ${next}`;
  const { add } = planMembers(catalog, inputs, publication);
  const tables = add.flatMap(({ oid }) => (tried.has(oid) ? [] : [oid]));
  for (const oid of tables) tried.add(oid);
  const changes = await changeMembers(session, { publication: next, action: "ADD", tables });
  if (changes.locked === 0) return tables.length;
  const of = { of: "members", publication: next } as const;
  const { names, held } = await reportLocked(session, catalog, changes, of);
  return `other transactions kept tables locked: ${names}.${held}`.replace(/\.$/, "");
}
