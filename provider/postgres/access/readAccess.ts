import { UserError } from "../../contract/errors";
import { readAccessInputs, type ReadAccessInputs } from "../../contract/inputs";
import type { Kind, Run } from "../../contract/kind";
import type { ReadAccessOutputs } from "../../contract/outputs";
import { recorded } from "../../contract/target";
import type { Catalog } from "../../contract/catalog";
import { preflight, selectionFindings } from "../selection/findings";
import { unlessGone } from "../session/gone";
import { quoteTableName } from "../catalog/tableNames";
import { applySteps } from "./apply";
import { grantable, namesOf, planGrants, planRevokes, scopeIn } from "./plan";
import type { Held, Missing, Scope } from "./privileges";
import { readHeld, readMissing } from "./query";
import { heldBefore } from "./record";
import { select } from "../selection/selection";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { firstFew } from "../../contract/wording";

type State = ReadAccessInputs & Partial<ReadAccessOutputs>;

const NOTHING: Held = { tables: [], schemas: [], defaults: [] };

/**
 * What Bemi's role may read: USAGE on the schemas, SELECT on the selected tables, and by default privileges whatever
 * the owners of those tables create later. Only what is missing is granted, and only what was granted here is revoked.
 * Streaming needs no privilege; snapshots and data browsers do.
 */
export const readAccess: Kind<ReadAccessInputs, ReadAccessOutputs> = {
  name: "readAccess",
  inputs: readAccessInputs,
  replaceOn: ["projectId", "branch", "database", "role"],
  id: ({ database, role }) => `${database}/${role}/read-access`,

  create: (inputs, run) => run.sql(inputs, (session) => grant(session, inputs, run, false)),

  update: (state, inputs, run) =>
    run.sql(
      inputs,
      async (session) => {
        await again(() => revokeGranted(session, state, run, inputs));
        // The grants are planned from what the revokes have left: a default privilege of the whole database that goes
        // may have to be replaced by those of single schemas.
        return grant(session, inputs, run, true);
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
          const lacking = describe(grantable(missing, catalog), catalog);
          return {
            outputs: outputsOf(session, missing, scope),
            ...(lacking.length === 0 ? {} : { drift: { missing: lacking } }),
          };
        },
        state,
      ),
    ),

  delete: async (state, run) => {
    await unlessGone(() =>
      run.sql(state, (session) => again(() => revokeGranted(session, state, run)), state),
    );
  },
};

async function grant(
  session: Session,
  inputs: ReadAccessInputs,
  run: Run,
  created: boolean,
): Promise<ReadAccessOutputs> {
  preflight(selectionFindings(select(await session.catalog(), inputs)));
  await again(() => grantMissing(session, inputs, run, created));
  const catalog = await session.catalog();
  const scope = scopeIn(catalog, inputs);
  const missing = await readMissing(session, inputs.role, scope);
  for (const line of describe(missing, catalog))
    run.log(`Role ${inputs.role} does not get ${line}: ${catalog.server.currentRole} may not grant it.`);
  return outputsOf(session, missing, scope);
}

async function grantMissing(
  session: Session,
  inputs: ReadAccessInputs,
  run: Run,
  created: boolean,
): Promise<void> {
  const catalog = await session.catalog();
  const { role } = inputs;
  if (!hasRole(catalog, role))
    throw new UserError(`There is no role "${role}" that could be given access. Create the role first.`);
  const missing = await readMissing(session, role, scopeIn(catalog, inputs));
  const before = heldBefore(session, catalog, role, created);
  await applySteps(session, catalog, planGrants(catalog, inputs, { missing, before }), run);
}

/** Revokes what was granted for the state's selection, except for what the kept inputs still ask for. */
async function revokeGranted(
  session: Session,
  state: State,
  run: Run,
  kept?: ReadAccessInputs,
): Promise<void> {
  const catalog = await session.catalog();
  const { role } = state;
  const held = hasRole(catalog, role) ? await readHeld(session, role) : NOTHING;
  const before = heldBefore(session, catalog, role, true);
  await applySteps(session, catalog, planRevokes(catalog, state, { held, before }, kept), run);
}

function describe(missing: Missing, catalog: Catalog): string[] {
  const lines: string[] = [];
  const tables = namesOf(missing.tables, catalog).map(quoteTableName);
  if (missing.schemas.length > 0)
    lines.push(`USAGE on schema ${firstFew(missing.schemas.map(({ schema }) => schema))}`);
  if (tables.length > 0) lines.push(`SELECT on ${firstFew(tables)}`);
  if (missing.defaults.length > 0) {
    const owners = [...new Set(missing.defaults.map(({ owner }) => owner))];
    lines.push(`access to what ${firstFew(owners)} will create`);
  }
  return lines;
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

function outputsOf(session: Session, missing: Missing, scope: Scope): ReadAccessOutputs {
  return { ...recorded(session.target), readable: missing.readable, wanted: scope.tables.length };
}

function hasRole(catalog: Catalog, role: string): boolean {
  return catalog.roles.some(({ name }) => name === role);
}
