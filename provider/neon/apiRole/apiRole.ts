import { isGone, UnfinishedError, UserError } from "../../contract/errors";
import { parseImportId } from "../../contract/importId";
import { type ApiRoleInputs, type ApiRoleOutputs, apiRoleDefinition } from "../../contract/kinds/apiRole";
import type { Kind, Planned, Run } from "../../contract/kind";
import type { NeonRole } from "../../contract/neonApi";
import { recorded, type ResolvedTarget, type Target } from "../../contract/target";
import { secret } from "../../contract/secrets";
import { NeonError, OperationError, UnreadableAnswer } from "../api/errors";
import { directAddress } from "../target/connection";
import { changeOf, DRIFT_OF, planChange, storedPassword, type State } from "./change";
import { perform, type Login } from "./doers";
import { databaseOf, outputsOf } from "./outputs";
import { applySteps, describeSteps, planCreate, planDelete } from "./plan";

/**
 * A role made through Neon's API. Neon makes every such role a member of `neon_superuser` with CREATEROLE, CREATEDB,
 * BYPASSRLS and REPLICATION, so it can write all tables and see rows that row security hides. A role made in SQL needs
 * none of these rights except REPLICATION.
 */
export const apiRole: Kind<ApiRoleInputs, ApiRoleOutputs> = {
  definition: apiRoleDefinition,
  id: ({ projectId, branch, name }) => [projectId, branch, name].filter(Boolean).join("/"),

  plan,

  create: async (inputs, run, _replaces, others = []) => {
    const shared = sharedRole(inputs, others);
    if (shared !== undefined) return apiRole.update(shared, inputs, run);
    const target = await run.resolve(targetOf(inputs));
    const existing = await run.neon.role(inputs.projectId, target.branchId, inputs.name);
    const login: Login = { created: existing === undefined };
    try {
      await perform(planCreate(inputs, existing, target.branchName), target, login, run);
    } catch (error) {
      if (existing !== undefined) throw error;
      if (error instanceof NeonError && error.status === 409) {
        // Somebody made a role of this name since it was looked for.
        const other = { name: inputs.name, hasPassword: true };
        login.created = false;
        await perform(planCreate(inputs, other, target.branchName), target, login, run);
        return outputsOf(inputs, target, login);
      }
      // Creating a role sends the POST before it reads anything, so after a failed read the role may exist. It may also
      // exist when the answer to the POST was lost or cannot be read and Neon did it late, or when the command was cancelled
      // after the POST.
      const sent =
        error instanceof OperationError ||
        error instanceof UnreadableAnswer ||
        (error instanceof NeonError && error.method === "GET") ||
        (error instanceof UserError && (await exists(inputs, target, run)));
      if (sent) throw await unfinished(error, inputs, target, run);
      throw error;
    }
    return outputsOf(inputs, target, login);
  },

  read: async (state, run) => {
    try {
      const here = await sessionTarget(state, run);
      const target = here ?? (await branchOf(state, run));
      const role = await run.neon.role(state.projectId, target.branchId, state.name);
      if (role === undefined) return undefined;
      const { projectId, name, created = false } = state;
      const stored = await storedPassword(state, target, run);
      const password =
        state.password ?? stored ?? (await run.neon.revealPassword(projectId, target.branchId, name));
      const known =
        role.createdAt === state.roleCreatedAt || (stored !== undefined && stored === state.password);
      const createdAt = known ? role.createdAt : state.roleCreatedAt;
      const outputs = outputsOf(state, target, { password, created, createdAt });
      const drift = DRIFT_OF[changeOf(role, state, stored)];
      if (here !== undefined) return { outputs, drift };
      return {
        outputs: { ...outputs, ...databaseOf(state) },
        drift: { ...drift, databaseGone: `"${state.database}"` },
      };
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  },

  update: async (state, inputs, run) => {
    const target = await run.resolve(targetOf(inputs), state);
    const { password, created = false, roleCreatedAt: createdAt } = state;
    const role = await run.neon.role(inputs.projectId, target.branchId, inputs.name);
    const change = changeOf(role, state, await storedPassword(state, target, run));
    const login: Login =
      change === "role" ? { created: false, createdAt: role?.createdAt } : { password, created, createdAt };
    await perform(planChange(state, inputs, change, role, target.branchName), target, login, run);
    const outputs = outputsOf(inputs, target, login);
    const same = outputs.branchId === state.branchId && outputs.databaseName === state.databaseName;
    // Neon's API does not tell the oid.
    return same ? { ...databaseOf(state), ...outputs } : outputs;
  },

  delete: async (state, run, _replaced, others = []) => {
    if (others.length > 0) {
      run.log(`Role ${state.name} stays: another resource of this stack is about the same role`);
      return;
    }
    const steps = planDelete(state);
    if (steps.length === 0) {
      run.log(`Role ${state.name} was not made by this stack, so it stays`);
      return;
    }
    try {
      const target = await branchOf(state, run);
      const role = await run.neon.role(state.projectId, target.branchId, state.name);
      if (role === undefined) return;
      if (!(await isOfState(role, state, target, run))) throw anotherRole(state);
      await perform(steps, target, { password: state.password, created: true }, run);
    } catch (error) {
      if (!isGone(error)) throw error;
      run.log(`Role ${state.name} is gone with its branch`);
    }
  },

  find: async (id, run) => {
    const inputs = parseImportId(id, apiRoleDefinition.type);
    const { projectId, branch, database, name } = inputs;
    const { branchId } = await run.resolve({ projectId, branch, database });
    const role = await run.neon.role(projectId, branchId, name);
    return role && { inputs: { ...inputs, adopt: true }, outputs: { created: false } };
  },
};

/** The steps over Neon's API and the roles of the server, without taking any. */
async function plan(
  inputs: ApiRoleInputs,
  run: Run,
  known?: State,
  _replaces?: State,
  others: readonly State[] = [],
): Promise<Planned<ApiRoleOutputs>> {
  const state = known ?? sharedRole(inputs, others);
  const target = await run.resolve(targetOf(inputs), state);
  const existing = await run.neon.role(inputs.projectId, target.branchId, inputs.name);
  const change =
    state === undefined ? "none" : changeOf(existing, state, await storedPassword(state, target, run));
  return run.sql(
    targetOf(inputs),
    async (session) => {
      const catalog = await run.forecast(session);
      // Neon also knows the roles that are made in SQL, and this preview may have planned one.
      const made = catalog.roles.find(({ name }) => name === inputs.name);
      const found = existing ?? (made && { name: made.name, hasPassword: made.canLogin });
      const steps =
        state === undefined
          ? planCreate(inputs, found, target.branchName)
          : planChange(state, inputs, change, found, target.branchName);
      run.expect(session, applySteps(catalog, steps));
      const { password } = state ?? {};
      const keepsPassword = steps.length === 0 && password !== undefined;
      return {
        outputs: {
          ...recorded(target),
          ...directAddress(target.host),
          username: inputs.name,
          created: change !== "role" && (state?.created ?? found === undefined),
          ...(keepsPassword ? { password: secret(password) } : {}),
        },
        changes: describeSteps(steps, target.branchName, state !== undefined && change !== "role"),
      };
    },
    state,
  );
}

/**
 * The role as another resource of the stack knows it, if these inputs may adopt it: with its password, and as made by this
 * stack where it is. Adopted like a stranger's role, it would outlive the destroy.
 */
function sharedRole({ adopt }: ApiRoleInputs, others: readonly State[]): State | undefined {
  return adopt ? others[0] : undefined;
}

/** The database in the state as a session knows it, with its oid; `undefined` when the database is gone. */
async function sessionTarget(state: State, run: Run): Promise<ResolvedTarget | undefined> {
  try {
    return await run.sql(targetOf(state), (session) => Promise.resolve(session.target), state);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/**
 * Whether the role is the one in the state. An API role has no mark: only the time at which Neon made it tells it from
 * another one of its name. Where that is not recorded, or a restore of the branch has renewed it, the password tells.
 */
async function isOfState(
  { createdAt }: NeonRole,
  { projectId, name, password, roleCreatedAt }: State,
  { branchId }: ResolvedTarget,
  run: Run,
): Promise<boolean> {
  if (createdAt !== undefined && createdAt === roleCreatedAt) return true;
  return password !== undefined && (await run.neon.revealPassword(projectId, branchId, name)) === password;
}

function anotherRole({ name, projectId }: State): UserError {
  return new UserError(
    `Role ${name} of project ${projectId} is not deleted: it was made at another time than the role in the state, and has another password, so it may be somebody else's. Delete it in Neon's console if nobody uses it, or remove the resource from the state: pulumi state delete.`,
  );
}

/** The branch of the role, with its compute. A role outlives the database. */
async function branchOf(state: State, run: Run): Promise<ResolvedTarget> {
  try {
    return await run.resolve(targetOf(state), state);
  } catch (error) {
    if (!isGone(error)) throw error;
    const { projectId, branch } = state;
    return run.resolve({ projectId, branch }, state);
  }
}

/** Whether the role exists now; `false` where Neon does not answer. */
async function exists(
  { projectId, name }: ApiRoleInputs,
  { branchId }: ResolvedTarget,
  run: Run,
): Promise<boolean> {
  return run.neon.role(projectId, branchId, name).then(
    (role) => role !== undefined,
    () => false,
  );
}

/** All kinds resolve the same target for one database, so that it is looked up once. */
function targetOf({ projectId, branch, database }: ApiRoleInputs): Target & { readonly database: string } {
  return { projectId, branch, database };
}

/**
 * The error to end in after creating the role failed midway. Nothing but Pulumi's state shows that this resource made
 * the role, so the role is deleted again or kept in the state. While Neon's operation still runs, the role cannot be
 * deleted and will become usable, so it is kept.
 */
async function unfinished(
  error: UserError,
  inputs: ApiRoleInputs,
  target: ResolvedTarget,
  run: Run,
): Promise<UserError> {
  const { projectId, name } = inputs;
  if (error instanceof OperationError && !error.running) {
    try {
      await run.neon.deleteRole(projectId, target.branchId, name);
      return error;
    } catch {
      run.log(`Role ${name} could not be deleted after its creation failed; it stays in the stack's state`);
    }
  }
  let password: string | undefined;
  try {
    password = await run.neon.revealPassword(projectId, target.branchId, name);
  } catch {
    // The next refresh asks again.
  }
  return new UnfinishedError(error.message, {
    ...outputsOf(inputs, target, { password, created: true }),
    password,
  });
}
