import { UnfinishedError, UserError } from "../../contract/errors";
import { parseImportId } from "../../contract/importId";
import {
  type ReadAccessInputs,
  type ReadAccessOutputs,
  readAccessDefinition,
} from "../../contract/kinds/readAccess";
import type { Kind, Planned, Run } from "../../contract/kind";
import { recorded } from "../../contract/target";
import type { Catalog, RoleFacts } from "../../contract/catalog";
import { preflight, selectionFindings } from "../selection/findings";
import { unlessGone } from "../session/gone";
import { applySteps } from "./apply";
import { describeMissing, describeSteps } from "./describe";
import { grantable, planGrants, planRevokes, refusedTo, scopeIn, type AccessStep } from "./plan";
import { selectionHeld, type Held, type Missing, type Scope } from "./privileges";
import { readHeld, readMissing } from "./query";
import { refuseForeignSchema } from "../record/moduleSchema";
import {
  afterChange,
  entryOf,
  heldBefore,
  oidMadeHere,
  withEntry,
  withoutEntry,
  type HeldBefore,
} from "./record";
import { select } from "../selection/selection";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";

type State = ReadAccessInputs & Partial<ReadAccessOutputs>;

const NOTHING: Held = { tables: [], schemas: [], defaults: [] };

/**
 * What Bemi's role may read: USAGE on the schemas, SELECT on the selected tables, and by default privileges whatever
 * the owners of those tables create later. Only what is missing is granted, and only what was granted here is revoked.
 * Streaming needs no privilege; snapshots and data browsers do.
 */
export const readAccess: Kind<ReadAccessInputs, ReadAccessOutputs> = {
  definition: readAccessDefinition,
  id: ({ database, role }) => `${database}/${role}/read-access`,

  plan: (inputs, run, state, _replaces, others) =>
    run.sql(inputs, (session) => preview(session, inputs, run, { state, others }), state),

  create: (inputs, run) => run.sql(inputs, (session) => grant(session, inputs, run, undefined)),

  update: (state, inputs, run, others = []) =>
    run.sql(
      inputs,
      async (session) => {
        await again(() => revokeGranted(session, state, run, [inputs, ...others]));
        // The grants are planned from what the revokes have left: a default privilege of the whole database that goes
        // may have to be replaced by those of single schemas.
        try {
          return await grant(session, inputs, run, state);
        } catch (error) {
          // Some of the grants may be made: only with the new selection in its state does a destroy revoke them.
          if (!(error instanceof UserError)) throw error;
          throw new UnfinishedError(error.message, recorded(session.target));
        }
      },
      state,
    ),

  read: (state, run) =>
    unlessGone(() =>
      run.sql(
        state,
        async (session) => {
          const catalog = await session.catalog();
          if (!hasRole(catalog, state.role)) return undefined;
          const scope = scopeIn(catalog, state);
          const missing = await readMissing(session, state.role, scope);
          const lacking = describeMissing(grantable(missing, catalog), catalog);
          return {
            outputs: outputsOf(session, catalog, state, { missing, scope, state }),
            ...(lacking.length === 0 ? {} : { drift: { missingPrivileges: lacking.join("; ") } }),
          };
        },
        state,
      ),
    ),

  delete: async (state, run, _replaced, others = []) => {
    if (others.length > 0)
      run.log(`Another resource of this stack gives role ${state.role} access too: that stays.`);
    await unlessGone(() =>
      run.sql(state, (session) => again(() => revokeGranted(session, state, run, others)), state),
    );
  },

  find: async (id, run) => {
    const { name: role, ...target } = parseImportId(id, readAccessDefinition.type, "ROLE");
    return run.sql(target, async (session) => {
      const catalog = await session.catalog();
      if (!hasRole(catalog, role)) return undefined;
      const selection = selectionHeld(await readHeld(session, role), catalog);
      return selection && { inputs: { ...target, role, ...selection }, outputs: {} };
    });
  },
};

/** What a create or an update would do. */
async function preview(
  session: Session,
  inputs: ReadAccessInputs,
  run: Run,
  {
    state,
    others = [],
  }: { readonly state: State | undefined; readonly others: readonly State[] | undefined },
): Promise<Planned<ReadAccessOutputs>> {
  const catalog = await run.forecast(session);
  const { role } = inputs;
  preflight(selectionFindings(select(catalog, inputs)));
  const facts = catalog.roles.find(({ name }) => name === role);
  if (facts === undefined) throw noRole(role);
  const revokes =
    state === undefined
      ? []
      : planRevokes(catalog, state, await heldIn(session, catalog, state), inputs, ...others);
  const scope = scopeIn(catalog, inputs);
  const going = revokes.flatMap((step) => (step.step === "revoke default privileges" ? step.privileges : []));
  const missing = await readMissing(session, readerFor(facts), scope, going);
  const before = heldBefore(session, catalog, role, state);
  const grants = planGrants(catalog, inputs, { missing, before });
  const steps = [...revokes, ...grants];
  if (steps.some(({ step }) => step === "record privileges")) refuseForeignSchema(catalog);
  run.expect(session, expected(session, catalog, steps));
  const refused = describeMissing(refusedTo(missing, catalog), catalog);
  return {
    outputs: {
      ...recorded(session.target),
      wanted: scope.tables.length,
      ...(steps.length === 0 ? { readable: missing.readable } : {}),
    },
    changes: [...describeSteps(steps), ...refused.map((line) => notGranted(role, line, catalog))],
  };
}

/** Whose privileges the role will have at first. A role that is only planned has those of its group, or of PUBLIC. */
function readerFor({ oid, name, memberOf }: RoleFacts): string {
  return oid === 0 ? (memberOf[0] ?? name) : name;
}

/** The catalog after the steps. It shows no privileges, so only the record counts. */
function expected(session: Session, catalog: Catalog, steps: readonly AccessStep[]): Catalog {
  return steps.reduce((before, { step, role }) => {
    if (step === "drop record") return afterChange(before, (record) => withoutEntry(record, role));
    if (step !== "record privileges") return before;
    return afterChange(before, (record) => withEntry(record, entryOf(session, role, NOTHING)));
  }, catalog);
}

async function grant(
  session: Session,
  inputs: ReadAccessInputs,
  run: Run,
  state: State | undefined,
): Promise<ReadAccessOutputs> {
  preflight(selectionFindings(select(await session.catalog(), inputs)));
  await again(() => grantMissing(session, inputs, run, state));
  const catalog = await session.catalog();
  const scope = scopeIn(catalog, inputs);
  const missing = await readMissing(session, inputs.role, scope);
  for (const line of describeMissing(missing, catalog)) run.log(notGranted(inputs.role, line, catalog));
  return outputsOf(session, catalog, inputs, { missing, scope, state });
}

async function grantMissing(
  session: Session,
  inputs: ReadAccessInputs,
  run: Run,
  state: State | undefined,
): Promise<void> {
  const catalog = await session.catalog();
  const { role } = inputs;
  if (!hasRole(catalog, role)) throw noRole(role);
  const missing = await readMissing(session, role, scopeIn(catalog, inputs));
  const before = heldBefore(session, catalog, role, state);
  await applySteps(session, planGrants(catalog, inputs, { missing, before }), run);
}

/** Revokes what was granted for the state's selection, except for what the kept inputs still ask for. */
async function revokeGranted(
  session: Session,
  state: State,
  run: Run,
  kept: readonly ReadAccessInputs[],
): Promise<void> {
  const catalog = await session.catalog();
  const granted = await heldIn(session, catalog, state);
  await applySteps(session, planRevokes(catalog, state, granted, ...kept), run);
}

/** What was granted to the role, and what of it is not of this module. */
async function heldIn(
  session: Session,
  catalog: Catalog,
  state: State,
): Promise<{ readonly held: Held; readonly before: HeldBefore }> {
  const { role } = state;
  const held = hasRole(catalog, role) ? await readHeld(session, role) : NOTHING;
  return { held, before: heldBefore(session, catalog, role, state) };
}

/** Repeats work that failed because a table or schema was dropped or changed after the catalog was read. */
async function again(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      // Undefined table, undefined schema, "tuple concurrently updated".
      if (attempt === 5 || !hasCode(error, "42P01", "3F000", "XX000")) throw error;
    }
  }
}

function outputsOf(
  session: Session,
  catalog: Catalog,
  { role }: ReadAccessInputs,
  {
    missing,
    scope,
    state,
  }: { readonly missing: Missing; readonly scope: Scope; readonly state: State | undefined },
): ReadAccessOutputs {
  const roleOid = oidMadeHere(session, catalog, role, state);
  return {
    ...recorded(session.target),
    readable: missing.readable,
    wanted: scope.tables.length,
    ...(roleOid === undefined ? {} : { roleOid }),
  };
}

function noRole(role: string): UserError {
  return new UserError(`There is no role "${role}" that could be given access. Create the role first.`);
}

function notGranted(role: string, privileges: string, { server }: Catalog): string {
  return `Role ${role} does not get ${privileges}: ${server.currentRole} may not grant it.`;
}

function hasRole(catalog: Catalog, role: string): boolean {
  return catalog.roles.some(({ name }) => name === role);
}
