import type { TableFacts } from "../../contract/catalog";
import type { PublicationInputs } from "../../contract/kinds/publication";
import type { Run } from "../../contract/kind";
import { execute, type Doers } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { reportLocked } from "../catalog/lockedTables";
import { quoteTableName } from "../catalog/tableNames";
import { only, setByTrail } from "../identity/claim";
import { logChanges, logLockedRestore, settleRecord } from "../identity/restore";
import { changeIdentities } from "../identity/statement";
import { readRecord } from "../record/moduleSchema";
import { tablesToRestore, trackedTables } from "../identity/trackedTables";
import { describeOlderWriters, runTogether, waitForOlderWriters } from "../sql/block";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { removeTracking } from "../tracking/install";
import { reliesOnTracking } from "../tracking/state";
import { createPublication, dropSchemasSql, emptyAndDrop, replaceByList } from "./replacement";
import { giveBack } from "./giveBack";
import { planMembers } from "./members";
import { optionsSql } from "./options";
import {
  findPublication,
  planMemberSteps,
  type MemberStep,
  type PublicationStep,
  type RemovalStep,
} from "./plan";
import { changeMembers, logRefused, type MemberOrder } from "./statement";

/** What is needed to do the steps of one publication. */
interface Work {
  readonly inputs: PublicationInputs;
  readonly session: Session;
  readonly run: Run;
}

/** How the steps of an up are done. */
export function publicationDoers(work: Work): Doers<PublicationStep> {
  const { inputs, session, run } = work;
  const { name } = inputs;
  const comment = async (step: { readonly comment: string }): Promise<void> => {
    await runTogether(session, [
      `COMMENT ON PUBLICATION ${quoteIdentifier(name)} IS ${quoteLiteral(step.comment)}`,
    ]);
  };
  return {
    ...memberDoers(work),
    "create publication": (step) => createPublication(session, name, step.comment),
    "comment on publication": comment,
    "adopt publication": comment,
    "drop publication": dropDoer(session, run),
    "replace by list": async (step) => {
      await replaceByList(session, inputs, step.comment, run);
      // What is left to do depends on whether it could be replaced, and on the tables created meanwhile: plan it now.
      await changeMembersAnew(work);
    },
    "restore replica identity": ({ tables }) => restoreLeavers(work, tables),
    "drop event triggers": async () => {
      // Tables that could not be dropped from the publication may still need the triggers: look again.
      const catalog = await session.catalog();
      if (!reliesOnTracking(catalog, name)) await removeTracking(session, catalog, name);
    },
  };
}

/** How the steps of a destroy are done. */
export function removalDoers(session: Session, run: Run, name: string): Doers<RemovalStep> {
  return {
    "drop publication": dropDoer(session, run),
    "restore replica identity": ({ tables }) => restore(tables, { session, run, name }, "by hand"),
    "give back publication": async ({ publication, before }) => {
      await giveBack({ session, run, publication, before });
    },
  };
}

function dropDoer(session: Session, run: Run): Doers<PublicationStep>["drop publication"] {
  return async ({ publication, afterOlderWriters }) => {
    if (afterOlderWriters && !(await waitForOlderWriters(session))) {
      run.log(
        `The publication ${publication.name} stays until the next up: ${await describeOlderWriters(session)}.`,
      );
      return;
    }
    await emptyAndDrop(session, await session.catalog(), publication);
  };
}

function memberDoers({ inputs, session, run }: Work): Doers<MemberStep> {
  const { name } = inputs;
  const alter = `ALTER PUBLICATION ${quoteIdentifier(name)}`;
  /** Whether a table that should be listed by now is not. */
  let incomplete = false;
  const change = async (action: MemberOrder["action"], tables: readonly TableFacts[]): Promise<void> => {
    const order = { publication: name, action, tables: tables.map(({ oid }) => oid) };
    const changes = await changeMembers(session, order);
    if (changes.refused.length + changes.locked === 0) return;
    if (action === "ADD") incomplete = true;
    const catalog = await session.catalog();
    logRefused(changes, catalog, name, run);
    if (changes.locked === 0) return;
    const { names, held } = await reportLocked(session, catalog, changes, {
      of: "members",
      publication: name,
    });
    const still = action === "ADD" ? "not added to" : "still in";
    run.log(
      `${names}: locked by other transactions, so ${still} the publication ${name}.${held} The next up does what is left.`,
    );
  };
  return {
    "set publication options": async ({ options }) => {
      if (options.includes("publish") && (await hasMembersToDrop(session, inputs))) {
        run.log(
          `The publication ${name} keeps what it publishes until the next up: tables have to leave it first.`,
        );
        return;
      }
      await runTogether(session, [`${alter} SET ${optionsSql(session.serverVersion, options)}`]);
    },
    "drop and add tables": ({ tables }) => {
      const list = tables.map((table) => `ONLY ${quoteTableName(table)}`).join(", ");
      return runTogether(session, [`${alter} DROP TABLE ${list}`, `${alter} ADD TABLE ${list}`]);
    },
    "add tables": ({ tables }) => change("ADD", tables),
    "drop tables": async ({ tables, schemas, afterOlderWriters }) => {
      if (afterOlderWriters && !(await waitForOlderWriters(session))) {
        run.log(
          `Tables that leave the publication ${name} do so with the next up: ${await describeOlderWriters(session)}.`,
        );
        return;
      }
      // What published a table that could not be listed must go on publishing it, or changes of the table would be lost.
      const leaving = incomplete ? await membersToDrop(session, inputs) : { tables, schemas };
      await change("DROP", leaving.tables);
      if (leaving.schemas.length > 0) await runTogether(session, [dropSchemasSql(name, leaving.schemas)]);
    },
  };
}

/** Whether tables that should have left the publication by now are still in it, because they were busy. */
async function hasMembersToDrop(session: Session, inputs: PublicationInputs): Promise<boolean> {
  const catalog = await session.catalog();
  const publication = findPublication(catalog, inputs.name);
  if (publication === undefined) return false;
  const { remove, schemas } = planMembers(catalog, inputs, publication);
  return remove.length > 0 || schemas.length > 0;
}

/** What may leave the publication now, where not every table that should be listed is. */
async function membersToDrop(
  session: Session,
  inputs: PublicationInputs,
): Promise<{ readonly tables: readonly TableFacts[]; readonly schemas: readonly string[] }> {
  const catalog = await session.catalog();
  const publication = findPublication(catalog, inputs.name);
  if (publication === undefined) return { tables: [], schemas: [] };
  const { add, remove, schemas } = planMembers(catalog, inputs, publication);
  const listing = new Set(add.map(({ oid }) => oid));
  // A partition, or the table above partitions that are to be listed instead.
  const stays = (table: TableFacts): boolean =>
    table.ancestors.some((oid) => listing.has(oid)) ||
    add.some(({ ancestors }) => ancestors.includes(table.oid));
  return { tables: remove.filter((table) => !stays(table)), schemas: add.length > 0 ? [] : schemas };
}

/** Plans options and members from a fresh catalog, and brings them about. */
async function changeMembersAnew(work: Work): Promise<void> {
  const { inputs, session, run } = work;
  const catalog = await session.catalog();
  const publication = findPublication(catalog, inputs.name);
  if (publication === undefined) return;
  await execute(planMemberSteps(catalog, inputs, publication), memberDoers(work), run);
}

/**
 * Gives tables that have left the publication the replica identity they had before. Which of the candidates have left
 * it is planned anew: some may still be in it, because PostgreSQL refused to take them out or an older transaction
 * writes.
 */
async function restoreLeavers({ inputs, session, run }: Work, candidates: readonly number[]): Promise<void> {
  const { name } = inputs;
  const catalog = await session.catalog();
  await restore(
    tablesToRestore(catalog, trackedTables(catalog, inputs), candidates, name),
    { session, run, name },
    "with the next up",
  );
}

/** Gives these tables back the identity they had, and takes out of the record what is settled. */
async function restore(
  tables: readonly number[],
  { session, run, name }: { readonly session: Session; readonly run: Run; readonly name: string },
  when: string,
): Promise<void> {
  const catalog = await session.catalog();
  const previous = only(setByTrail(readRecord(catalog), catalog, name, tables), tables);
  if (previous.size === 0) return;
  const changes = await changeIdentities(session, { publication: name, restore: previous });
  logChanges(changes, catalog, run);
  await settleRecord(session, name);
  await logLockedRestore(session, changes, catalog, run, when);
}
