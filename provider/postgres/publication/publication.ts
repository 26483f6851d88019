import { UserError } from "../../contract/errors";
import { publicationInputs, type PublicationInputs } from "../../contract/inputs";
import type { Drift, Kind, Run } from "../../contract/kind";
import type { PublicationOutputs } from "../../contract/outputs";
import { execute } from "../../contract/plan";
import { recorded as recordedTarget } from "../../contract/target";
import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import type { Session } from "../../contract/session";
import { firstFew } from "../../contract/wording";
import { formatTableName } from "../catalog/tableNames";
import { readRecord } from "../identity/record";
import { describePending, fingerprint } from "../identity/summary";
import { trackedTables } from "../identity/trackedTables";
import { describeOwnership, madeByResource, databaseObjectMark } from "../ownership/mark";
import { preflight, selectionFindings, serverFindings } from "../selection/findings";
import { select } from "../selection/selection";
import { unlessGone } from "../session/gone";
import { adoptedFrom } from "./adoption";
import { publicationDoers, removalDoers } from "./doers";
import { planMembers, publishedTables } from "./members";
import { wrongOptions } from "./options";
import { findPublication, leavers, planPublication, planRemoval, unfinished } from "./plan";
import { formOf, wantedForm } from "./wantedForm";

type State = PublicationInputs & Partial<PublicationOutputs>;

/**
 * The publication that says whose changes a consumer gets. A table joins it when its replica identity is FULL (or
 * cannot be, and it has a key), never before: PostgreSQL refuses UPDATE and DELETE on a published table without an
 * identity.
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
          const existing = findPublication(catalog, state.name);
          if (existing === undefined) return undefined;
          return {
            outputs: outputsOf(session, catalog, state, existing),
            drift: driftOf(session, catalog, state, existing),
          };
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
  const mark = databaseObjectMark(session, inputs);
  const catalog = await session.catalog();
  preflight([...serverFindings(catalog), ...selectionFindings(select(catalog, inputs))]);
  const recorded = await recordedLeavers(session, catalog, inputs, state);
  const steps = planPublication(catalog, inputs, { state, recorded, mark });
  await execute(steps, publicationDoers({ inputs, session, run, mark }), run);
  const after = await session.catalog();
  return outputsOf(session, after, inputs, requirePublication(after, inputs.name));
}

/** Oids of the tables in the record that may be about to leave the publication. */
async function recordedLeavers(
  session: Session,
  catalog: Catalog,
  inputs: PublicationInputs,
  state: State | undefined,
): Promise<number[]> {
  const candidates = leavers(catalog, inputs, state);
  if (candidates.size === 0) return [];
  const full = trackedTables(catalog, inputs).flatMap((entry) => (entry.full ? [entry.table.oid] : []));
  const recorded = await readRecord(session, catalog, inputs.name, full);
  return recorded.filter((oid) => candidates.has(oid));
}

function outputsOf(
  session: Session,
  catalog: Catalog,
  inputs: PublicationInputs,
  existing: PublicationFacts,
): PublicationOutputs {
  const tables = publishedTables(catalog, inputs, existing);
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
    form: formOf(existing),
    created: adoptedFrom(existing.comment) === undefined,
  };
}

/** What the next up will do something about. */
function driftOf(session: Session, catalog: Catalog, state: State, existing: PublicationFacts): Drift {
  const mark = databaseObjectMark(session, state);
  const changes = planMembers(catalog, state, existing);
  const drift: Record<string, string> = {};
  const note = (key: string, tables: readonly TableFacts[]): void => {
    if (tables.length > 0) drift[key] = firstFew(tables.map(formatTableName));
  };
  note("not published", [...changes.add, ...changes.waiting]);
  note("published but not tracked", changes.remove);
  note("published in part", changes.relist);
  const options = wrongOptions(existing);
  if (options.length > 0) drift["options"] = options.join(", ");
  if (changes.schemas.length > 0) drift["schemas"] = changes.schemas.join(", ");
  if (
    existing.allTables &&
    adoptedFrom(existing.comment) === undefined &&
    wantedForm(catalog, state) !== "all tables"
  )
    drift["form"] = "all tables";
  if (!madeByResource(existing.comment, mark)) drift["owner"] = "made again by somebody else";
  const leftovers = unfinished(catalog, state.name, mark);
  if (leftovers.length > 0) drift["unfinished change"] = leftovers.map(({ name }) => name).join(", ");
  return drift;
}

async function remove(state: State, run: Run, session: Session): Promise<void> {
  const mark = databaseObjectMark(session, state);
  const catalog = await session.catalog();
  await execute(planRemoval(catalog, state.name, mark), removalDoers(session, run), run);
  const existing = findPublication(catalog, state.name);
  if (existing !== undefined && !madeByResource(existing.comment, mark))
    run.log(`The publication ${state.name} stays: it ${describeOwnership("none", existing.comment)}.`);
}

/** The publication of this name; throws a {@link UserError} without one. */
function requirePublication(catalog: Catalog, name: string): PublicationFacts {
  const existing = findPublication(catalog, name);
  if (existing !== undefined) return existing;
  throw new UserError(`The publication "${name}" was dropped by somebody else meanwhile. Run up again.`);
}
