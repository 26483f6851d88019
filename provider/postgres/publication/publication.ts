import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import type { DriftName } from "../../contract/drift";
import { UserError } from "../../contract/errors";
import { parseImportId } from "../../contract/importId";
import {
  type PublicationInputs,
  type PublicationOutputs,
  publicationDefinition,
} from "../../contract/kinds/publication";
import type { Drift, Kind, Run } from "../../contract/kind";
import { execute } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { recorded as recordedTarget } from "../../contract/target";
import { firstFew } from "../../contract/wording";
import { formatTableName } from "../catalog/tableNames";
import { claimOf } from "../identity/claim";
import { settleRecord } from "../identity/restore";
import { describePending, fingerprint } from "../identity/summary";
import { databaseObjectMark, describeOwnership, identifiedBy } from "../ownership/mark";
import { isOwned, madeBy, markOn, notOwned } from "../ownership/ownObjects";
import { readRecord } from "../record/moduleSchema";
import { preflight, selectionFindings, serverFindings } from "../selection/findings";
import { publishedSelection } from "../selection/imported";
import { select } from "../selection/selection";
import { unlessGone } from "../session/gone";
import { adoptedFrom } from "./adoption";
import { publicationDoers, removalDoers } from "./doers";
import { planMembers, publishedTables } from "./members";
import { describeWrongOptions } from "./options";
import { findPublication, leaving, madeAgain, planPublication, planRemoval, unfinished } from "./plan";
import { preview, selectionWarnings } from "./preview";

type State = PublicationInputs & Partial<PublicationOutputs>;

/**
 * The publication that says whose changes a consumer gets. A table joins it when its replica identity is FULL (or
 * cannot be, and it has a key), never before: PostgreSQL refuses UPDATE and DELETE on a published table without an
 * identity.
 */
export const publication: Kind<PublicationInputs, PublicationOutputs> = {
  definition: publicationDefinition,
  id: ({ database, name }) => `${database}/${name}`,

  plan: (inputs, run, state) =>
    run.sql(
      inputs,
      async (session) => {
        const { catalog, ownershipId, changes } = await preview(inputs, run, session, state);
        const existing = requirePublication(catalog, inputs.name);
        return { outputs: outputsOf(session, catalog, inputs, existing, ownershipId), changes };
      },
      state,
    ),

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
            outputs: outputsOf(
              session,
              catalog,
              state,
              existing,
              ownershipIdOf(session, catalog, state, existing),
            ),
            drift: driftOf(session, catalog, state, existing),
          };
        },
        state,
      ),
    ),

  async delete(state, run) {
    await unlessGone(() => run.sql(state, (session) => remove(state, run, session), state));
  },

  find(id, run) {
    const { name, ...target } = parseImportId(id, "Publication");
    return run.sql(target, async (session) => {
      const catalog = await session.catalog();
      const existing = findPublication(catalog, name);
      if (existing === undefined) return undefined;
      const inputs = { ...target, name, ...publishedSelection(catalog, existing), adopt: true };
      return { inputs, outputs: recordedTarget(session.target) };
    });
  },
};

async function converge(
  inputs: PublicationInputs,
  run: Run,
  session: Session,
  state: State | undefined,
): Promise<PublicationOutputs> {
  const { name, managedBy } = inputs;
  const catalog = await session.catalog();
  const selected = select(catalog, inputs);
  preflight([...serverFindings(catalog), ...selectionFindings(selected)]);
  const mark = identifiedBy(
    databaseObjectMark(session, { managedBy, ownershipId: state?.ownershipId }),
    markOn(findPublication(catalog, name), catalog),
  );
  const recorded = [...leaving(catalog, inputs, state).keys()];
  const steps = planPublication(catalog, inputs, { state, recorded, mark });
  for (const line of selectionWarnings(catalog, selected, name)) run.log(line);
  await execute(steps, publicationDoers({ inputs, session, run }), run);
  const after = await session.catalog();
  // The last run may have given back identities and then failed. By the former selection that it left in the record, what
  // the user sets on these tables from now on would count as the module's.
  if ((claimOf(readRecord(after), name)?.selections.length ?? 1) > 1) await settleRecord(session, name);
  return outputsOf(session, after, inputs, requirePublication(after, name), mark.id);
}

/** The id in the state, otherwise the one in the publication's mark, if that is this resource's. */
function ownershipIdOf(
  session: Session,
  catalog: Catalog,
  state: State,
  existing: PublicationFacts,
): string | undefined {
  if (state.ownershipId !== undefined || !madeBy(existing, databaseObjectMark(session, state), catalog))
    return state.ownershipId;
  return markOn(existing, catalog)?.id;
}

function outputsOf(
  session: Session,
  catalog: Catalog,
  inputs: PublicationInputs,
  existing: PublicationFacts,
  ownershipId: string | undefined,
): PublicationOutputs {
  const tables = publishedTables(catalog, inputs, existing);
  const pending = tables.flatMap(({ entry, because }) =>
    because === undefined ? [] : [{ table: entry.table, because }],
  );
  return {
    ...recordedTarget(session.target),
    wanted: tables.length,
    done: tables.filter(({ published }) => published).length,
    // Only of what is published: the replica identities have a fingerprint of their own. A table that is published and
    // not FULL is mended without this resource, which would then hand on what its last read saw.
    fingerprint: fingerprint(
      tables.flatMap(({ entry, published }) =>
        published ? [] : [{ table: entry.table, state: "not published" }],
      ),
    ),
    pending: describePending(pending),
    created: markOn(existing, catalog) !== undefined && adoptedFrom(existing.comment) === undefined,
    ...(ownershipId === undefined ? {} : { ownershipId }),
  };
}

/** What the next up will do something about. */
function driftOf(session: Session, catalog: Catalog, state: State, existing: PublicationFacts): Drift {
  const mark = databaseObjectMark(session, state);
  const changes = planMembers(catalog, state, existing);
  const drift: Partial<Record<DriftName, string>> = {};
  const note = (name: DriftName, tables: readonly TableFacts[]): void => {
    if (tables.length > 0) drift[name] = firstFew(tables.map(formatTableName));
  };
  note("notPublished", [...changes.add, ...changes.waiting]);
  note("notTracked", changes.remove);
  note("publishedInPart", changes.relist);
  const options = describeWrongOptions(existing);
  if (options !== "") drift.publicationOptions = options;
  if (changes.schemas.length > 0) drift.publishedSchemas = firstFew(changes.schemas);
  if (!isOwned(existing, catalog)) drift.publicationOwner = `belongs to ${existing.owner}`;
  else if (!madeBy(existing, mark, catalog))
    drift.publicationOwner = state.adopt ? "not taken over yet" : madeAgain(existing);
  else if (existing.allTables) drift.publicationForm = "all tables";
  const leftovers = unfinished(catalog, state.name, mark);
  if (leftovers.length > 0) drift.unfinishedChange = leftovers.map(({ name }) => name).join(", ");
  return drift;
}

async function remove(state: State, run: Run, session: Session): Promise<void> {
  const mark = databaseObjectMark(session, state);
  const catalog = await session.catalog();
  await execute(planRemoval(catalog, state, mark), removalDoers(session, run, state.name), run);
  const existing = findPublication(catalog, state.name);
  if (existing === undefined || madeBy(existing, mark, catalog)) return;
  const why = isOwned(existing, catalog)
    ? describeOwnership("none", existing.comment)
    : notOwned(existing, catalog);
  run.log(`The publication ${state.name} stays: it ${why}.`);
}

/** The publication of this name; throws a {@link UserError} without one. */
function requirePublication(catalog: Catalog, name: string): PublicationFacts {
  const existing = findPublication(catalog, name);
  if (existing !== undefined) return existing;
  throw new UserError(`The publication "${name}" was dropped by somebody else meanwhile. Run up again.`);
}
