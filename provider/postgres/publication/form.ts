import { describeOlderWriters, runTogether, waitForOlderWriters } from "../sql/block";
import type { Catalog, PublicationFacts } from "../../contract/catalog";
import { reportLocked } from "../catalog/lockedTables";
import { encodeMark, type Mark } from "../ownership/mark";
import { planMembers } from "./members";
import { optionsSql } from "./options";
import { findPublication } from "./plan";
import type { PublicationForm } from "./wantedForm";
import { changeMembers, dropPublication } from "./statement";
import type { PublicationInputs } from "../../contract/kinds/publication";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { membersOf } from "../catalog/membership";
import { ownNames } from "../ownership/ownNames";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

/**
 * Creates a publication with its mark, without tables where it is to be a list. `false` when our role may not: all
 * tables needs a superuser, or Neon.
 */
export async function createPublication(
  session: Session,
  name: string,
  form: PublicationForm,
  mark: Mark,
): Promise<boolean> {
  const quoted = quoteIdentifier(name);
  const all = form === "all tables" ? "FOR ALL TABLES " : "";
  try {
    await runTogether(session, [
      `CREATE PUBLICATION ${quoted} ${all}WITH ${optionsSql(session.serverVersion)}`,
      `COMMENT ON PUBLICATION ${quoted} IS ${quoteLiteral(encodeMark(mark))}`,
    ]);
    return true;
  } catch (error) {
    if (form === "all tables" && hasCode(error, "42501")) return false;
    throw error;
  }
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
  if (publication.allTables) {
    const quoted = quoteIdentifier(publication.name);
    await runTogether(session, [`ALTER PUBLICATION ${quoted} SET (publish = '')`]);
  } else {
    const tables = membersOf(catalog, publication.name).map(({ oid }) => oid);
    await changeMembers(session, { publication: publication.name, action: "DROP", tables });
  }
  await session.read("SELECT pg_catalog.pg_sleep(0.1)");
  await dropPublication(session, publication);
}

/**
 * Replaces the publication by one of another form under the same name. So that a consumer loses no change of a
 * transaction that is open meanwhile, it waits for all older writers before the renaming, and again before it drops the
 * former publication: whichever of the two the consumer looks up for such a transaction then exists.
 *
 * `false` when it could not be done (yet): the publication is as it was. If older writers hold up the very end, the
 * former publication stays until the next up.
 */
export async function changeForm(
  session: Session,
  inputs: PublicationInputs,
  form: PublicationForm,
  mark: Mark,
  run: Run,
): Promise<boolean> {
  const { name } = inputs;
  const { nextPublication: next, formerPublication: former } = ownNames(name);
  const keeps = (because: string): false => {
    run.log(`The publication ${name} keeps its form until the next up: ${because}.`);
    return false;
  };
  if (!(await createPublication(session, next, form, mark))) return false;
  // Fill it again after each wait: transactions that began before it existed may have created tables, and event
  // triggers add to it only what is created after that.
  const tried = new Set<number>();
  let added: number | string;
  do {
    added = form === "table list" ? await fill(session, inputs, next, tried) : 0;
    if (typeof added === "string") return keeps(added);
    run.checkpoint();
    if (!(await waitForOlderWriters(session))) return keeps(await describeOlderWriters(session));
    run.checkpoint();
  } while (added > 0);
  await runTogether(session, [
    `ALTER PUBLICATION ${quoteIdentifier(name)} RENAME TO ${quoteIdentifier(former)}`,
    `ALTER PUBLICATION ${quoteIdentifier(next)} RENAME TO ${quoteIdentifier(name)}`,
  ]);
  if (!(await waitForOlderWriters(session))) {
    run.log(`The publication ${former} stays until the next up: ${await describeOlderWriters(session)}.`);
    return true;
  }
  const catalog = await session.catalog();
  const left = findPublication(catalog, former);
  if (left !== undefined) await emptyAndDrop(session, catalog, left);
  return true;
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
