import { UserError } from "../../contract/errors";
import { publicationInputs, type PublicationInputs } from "../../contract/inputs";
import type { Drift, Kind, Run } from "../../contract/kind";
import type { PublicationOutputs } from "../../contract/outputs";
import { recorded as recordedTarget } from "../../contract/target";
import { runTogether } from "../sql/block";
import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import { preflight, selectionFindings, serverFindings } from "../selection/findings";
import { unlessGone } from "../session/gone";
import { describePending, fingerprint, trackedTables, planRestore } from "../identity/plan";
import { handOver, hasRecord, readRecord } from "../identity/record";
import { changeIdentities } from "../identity/statement";
import {
  describeOwnership,
  existsAlready,
  formatMark,
  madeByResource,
  markOf,
  ownership,
  type Mark,
} from "../ownership/mark";
import { formatTableName } from "../catalog/tableNames";
import { adopt, adoptedFrom, giveBack } from "./adoption";
import { changeForm, createPublication, emptyAndDrop, finish, unfinished } from "./form";
import {
  coverage,
  formOf,
  optionsSql,
  planPublication,
  wantedForm,
  wantsEverything,
  wrongOptions,
} from "./plan";
import { changeMembership } from "./statement";
import { select } from "../selection/selection";
import type { Session } from "../../contract/session";
import { publishes } from "../catalog/membership";
import { nameTables, tablesByOid } from "../catalog/tableIndex";
import { removeTracking } from "../tracking/install";
import { firstFew } from "../../contract/wording";
import { ownNames } from "../ownership/ownNames";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { reliesOnTracking } from "../tracking/state";

type State = PublicationInputs & Partial<PublicationOutputs>;

/**
 * The publication that says whose changes a consumer gets. A table joins it when its replica identity is FULL (or
 * cannot be, and it has a key), never before: UPDATE and DELETE on a published table without identity fail.
 */
export const publication: Kind<PublicationInputs, PublicationOutputs> = {
  name: "publication",
  inputs: publicationInputs,
  replaceOn: ["name"],
  id: ({ database, name }) => `${database}/${name}`,

  create: (inputs, run) => run.sql(inputs, (session) => converge(inputs, run, session, undefined)),

  update: (state, inputs, run) => run.sql(inputs, (session) => converge(inputs, run, session, state), state),

  read: (state, run) =>
    unlessGone(() =>
      run.sql(
        state,
        async (session) => {
          const catalog = await session.catalog();
          if (find(catalog, state.name) === undefined) return undefined;
          return { outputs: outputsOf(session, catalog, state), drift: driftOf(session, catalog, state) };
        },
        state,
      ),
    ),

  async delete(state, run) {
    await unlessGone(() => run.sql(state, (session) => remove(state, run, session), state));
  },
};

async function converge(
  inputs: PublicationInputs,
  run: Run,
  session: Session,
  state: State | undefined,
): Promise<PublicationOutputs> {
  const mark = markOf(session, inputs);
  await ensure(inputs, session, state, mark);
  run.checkpoint();
  await finish(session, await session.catalog(), inputs.name, mark);
  run.checkpoint();

  const before = await session.catalog();
  const existing = found(before, inputs.name);
  const adopted = adoptedFrom(existing.comment) !== undefined;
  if (adopted && existing.allTables && !wantsEverything(inputs)) {
    throw new UserError(
      `The adopted publication "${inputs.name}" publishes all tables, and only some are wanted. Drop it, and this module makes one.`,
    );
  }
  const form = wantedForm(before, inputs);
  if (!adopted && form !== formOf(existing)) await changeForm(session, inputs, form, mark, run);
  run.checkpoint();

  // First: what an option leaves out decides which tables can be published.
  if (wrongOptions(found(await session.catalog(), inputs.name)).length > 0)
    await runTogether(session, [
      `ALTER PUBLICATION ${quoteIdentifier(inputs.name)} SET ${optionsSql(session.serverVersion)}`,
    ]);
  const catalog = await session.catalog();
  const plan = planPublication(catalog, inputs, found(catalog, inputs.name));
  await changeMembership(session, inputs.name, plan, run);
  await restoreLeavers(session, inputs, before, state, run);
  const after = await session.catalog();
  // The event triggers had to stay for this publication, until now.
  if (
    !inputs.trackNewTables &&
    reliesOnTracking(before, inputs.name) &&
    !reliesOnTracking(after, inputs.name)
  )
    await removeTracking(session, after, inputs.name);
  return outputsOf(session, after, inputs);
}

/** Sees to it that there is a publication of this name which is ours to change. */
async function ensure(
  inputs: PublicationInputs,
  session: Session,
  state: State | undefined,
  mark: Mark,
): Promise<void> {
  const { name } = inputs;
  const catalog = await session.catalog();
  preflight([...serverFindings(catalog), ...selectionFindings(select(catalog, inputs))]);
  const existing = find(catalog, name);
  if (existing === undefined) {
    if (!(await createPublication(session, name, wantedForm(catalog, inputs), mark)))
      await createPublication(session, name, "table list", mark);
    return;
  }
  const owner = ownership(existing.comment, mark);
  if (owner === "ours") return;
  if (state !== undefined && madeByResource(existing.comment, mark)) {
    await runTogether(session, [commentSql(existing, mark)]);
    return;
  }
  if (!inputs.adopt) {
    throw new UserError(existsAlready(`Publication "${name}"`, owner, existing.comment));
  }
  await adopt(session, catalog, existing, inputs, mark);
}

/** The mark again, with the branch's new id after a restore; what an adopted publication was before is kept. */
function commentSql({ name, comment }: PublicationFacts, mark: Mark): string {
  const before = adoptedFrom(comment);
  const text =
    before === undefined
      ? formatMark(mark)
      : `${formatMark(mark).slice(0, -1)},"before":${JSON.stringify(before)}}`;
  return `COMMENT ON PUBLICATION ${quoteIdentifier(name)} IS ${quoteLiteral(text)}`;
}

/**
 * Gives tables that have left the publication the replica identity they had before: those it published until just now,
 * and, as an earlier run may have been killed before it came to that, those the state says were tracked. Others in the
 * record are none of its business: replica identities may be declared for more than is published.
 */
async function restoreLeavers(
  session: Session,
  inputs: PublicationInputs,
  before: Catalog,
  state: State | undefined,
  run: Run,
): Promise<void> {
  const catalog = await session.catalog();
  const former = find(before, inputs.name);
  const byOid = tablesByOid(before);
  const candidates = new Set(
    [
      ...(former === undefined ? [] : before.tables.filter((table) => publishes(former, table, byOid))),
      ...(state === undefined ? [] : select(catalog, state).tables),
    ].map(({ oid }) => oid),
  );
  const tracked = trackedTables(catalog, inputs);
  const full = tracked.filter((entry) => entry.full).map(({ table }) => table.oid);
  for (const oid of full) candidates.delete(oid);
  if (candidates.size === 0 || !hasRecord(catalog, inputs.name)) return;

  const others = (await readRecord(session, inputs.name, full)).filter((oid) => candidates.has(oid));
  const restore = planRestore(catalog, tracked, others, inputs.name);
  if (restore.length === 0) return;
  await handOver(session, catalog, inputs.name, restore);
  const { locked } = await changeIdentities(session, {
    schema: ownNames(inputs.name).schema,
    full: [],
    restore,
  });
  if (locked === 0) return;
  const left = (await readRecord(session, inputs.name, full)).filter((oid) => restore.includes(oid));
  run.log(
    `${nameTables(catalog, left)}: locked by other transactions. What replica identity they had before, they get back with the next up.`,
  );
}

function outputsOf(session: Session, catalog: Catalog, inputs: PublicationInputs): PublicationOutputs {
  const existing = find(catalog, inputs.name);
  const tables = coverage(catalog, inputs, existing);
  const pending = tables.flatMap(({ entry, because }) =>
    because === undefined ? [] : [{ table: entry.table, because }],
  );
  return {
    ...recordedTarget(session.target),
    wanted: tables.length,
    done: tables.filter(({ published }) => published).length,
    fingerprint: fingerprint(
      tables.map(({ entry, published }) => ({ table: entry.table, state: String(published) })),
    ),
    pending: describePending(pending),
    form: existing?.allTables === true ? "all tables" : "table list",
    created: existing !== undefined && adoptedFrom(existing.comment) === undefined,
  };
}

/** What the next up will do something about. */
function driftOf(session: Session, catalog: Catalog, state: State): Drift {
  const existing = found(catalog, state.name);
  const mark = markOf(session, state);
  const plan = planPublication(catalog, state, existing);
  const drift: Record<string, string> = {};
  const note = (key: string, tables: readonly TableFacts[]): void => {
    if (tables.length > 0) drift[key] = firstFew(tables.map(formatTableName));
  };
  note("not published", [...plan.add, ...plan.waiting]);
  note("published but not tracked", plan.remove);
  note("published in part", plan.relist);
  const options = wrongOptions(existing);
  if (options.length > 0) drift["options"] = options.join(", ");
  if (plan.schemas.length > 0) drift["schemas"] = plan.schemas.join(", ");
  if (
    existing.allTables &&
    adoptedFrom(existing.comment) === undefined &&
    wantedForm(catalog, state) !== "all tables"
  )
    drift["form"] = "all tables";
  if (!madeByResource(existing.comment, mark)) drift["owner"] = "made again by somebody else";
  const side = unfinished(catalog, state.name, mark);
  if (side.length > 0) drift["unfinished change"] = side.map(({ name }) => name).join(", ");
  return drift;
}

async function remove(state: State, run: Run, session: Session): Promise<void> {
  const mark = markOf(session, state);
  for (const side of unfinished(await session.catalog(), state.name, mark))
    await emptyAndDrop(session, await session.catalog(), side);
  const catalog = await session.catalog();
  const existing = find(catalog, state.name);
  if (existing === undefined) return;
  if (!madeByResource(existing.comment, mark)) {
    run.log(`The publication ${state.name} stays: it ${describeOwnership("none", existing.comment)}.`);
    return;
  }
  run.checkpoint();
  const was = adoptedFrom(existing.comment);
  if (was === undefined) await emptyAndDrop(session, catalog, existing);
  else {
    await giveBack(session, catalog, existing, was);
    run.log(`The publication ${state.name} stays, as it was before it was adopted.`);
  }
}

function find(catalog: Catalog, name: string): PublicationFacts | undefined {
  return catalog.publications.find((publication) => publication.name === name);
}

function found(catalog: Catalog, name: string): PublicationFacts {
  const publication = find(catalog, name);
  if (publication !== undefined) return publication;
  throw new UserError(`The publication "${name}" was dropped by somebody else meanwhile. Run up again.`);
}
