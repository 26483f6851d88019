import { isGone, UnfinishedError, type UserError } from "../../contract/errors";
import { parseImportId } from "../../contract/importId";
import { type ApiRoleInputs, type ApiRoleOutputs, apiRoleDefinition } from "../../contract/kinds/apiRole";
import type { Kind, Planned, Run } from "../../contract/kind";
import { execute, type Doers } from "../../contract/plan";
import { recorded, type ResolvedTarget, type Target } from "../../contract/target";
import { secret } from "../../contract/secrets";
import { NeonError, OperationError, UnreadableAnswer } from "../api/errors";
import { directAddress } from "../target/connection";
import { applySteps, describeSteps, planCreate, planDelete, planUpdate, type ApiRoleStep } from "./plan";

/**
 * A role made through Neon's API. Neon makes every such role a member of `neon_superuser` with CREATEROLE, CREATEDB,
 * BYPASSRLS and REPLICATION, so it can write all tables and see rows that row security hides. A role made in SQL needs
 * none of these rights except REPLICATION.
 */
export const apiRole: Kind<ApiRoleInputs, ApiRoleOutputs> = {
  definition: apiRoleDefinition,
  id: ({ projectId, branch, name }) => [projectId, branch, name].filter(Boolean).join("/"),

  plan,

  create: async (inputs, run) => {
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
      // Creating a role sends the POST before it reads anything, so after a failed read the role may exist.
      const failedRead = error instanceof NeonError && error.method === "GET";
      if (error instanceof OperationError || error instanceof UnreadableAnswer || failedRead)
        throw await unfinished(error, inputs, target, run);
      throw error;
    }
    return outputsOf(inputs, target, login);
  },

  read: async (state, run) => {
    try {
      const target = await run.resolve(targetOf(state), state);
      const role = await run.neon.role(state.projectId, target.branchId, state.name);
      if (role === undefined) return undefined;
      const password =
        state.password ?? (await run.neon.revealPassword(state.projectId, target.branchId, state.name));
      return { outputs: outputsOf(state, target, { password, created: state.created ?? false }) };
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  },

  update: async (state, inputs, run) => {
    const target = await run.resolve(targetOf(inputs), state);
    const login: Login = { password: state.password, created: state.created ?? false };
    await perform(planUpdate(state, inputs), target, login, run);
    return outputsOf(inputs, target, login);
  },

  delete: async (state, run) => {
    const steps = planDelete(state);
    if (steps.length === 0) {
      run.log(`Role ${state.name} was not made by this stack, so it stays`);
      return;
    }
    try {
      const target = await run.resolve(targetOf(state), state);
      await perform(steps, target, { password: state.password, created: true }, run);
    } catch (error) {
      if (!isGone(error)) throw error;
      run.log(`Role ${state.name} is gone with its branch or project`);
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
  state?: ApiRoleInputs & Partial<ApiRoleOutputs>,
): Promise<Planned<ApiRoleOutputs>> {
  const target = await run.resolve(targetOf(inputs), state);
  const existing = await run.neon.role(inputs.projectId, target.branchId, inputs.name);
  return run.sql(
    targetOf(inputs),
    async (session) => {
      const catalog = await run.forecast(session);
      // Neon also knows the roles that are made in SQL, and this preview may have planned one.
      const made = catalog.roles.find(({ name }) => name === inputs.name);
      const found = existing ?? (made && { name: made.name, hasPassword: made.canLogin });
      const steps =
        state === undefined ? planCreate(inputs, found, target.branchName) : planUpdate(state, inputs);
      run.expect(session, applySteps(catalog, steps));
      const { password } = state ?? {};
      const keepsPassword = steps.length === 0 && password !== undefined;
      return {
        outputs: {
          ...recorded(target),
          ...directAddress(target.host),
          username: inputs.name,
          created: state?.created ?? found === undefined,
          ...(keepsPassword ? { password: secret(password) } : {}),
        },
        changes: describeSteps(steps, target.branchName, state !== undefined),
      };
    },
    state,
  );
}

/** What the steps find out and change. */
interface Login {
  /** Secret. `undefined` while it is not known. */
  password?: string;
  /** Whether this resource creates, or created, the role. */
  created: boolean;
}

/** Executes the steps, and keeps the password they lead to in `login`. */
async function perform(
  steps: readonly ApiRoleStep[],
  target: ResolvedTarget,
  login: Login,
  run: Run,
): Promise<void> {
  const { projectId, branchId, branchName } = target;
  const doers: Doers<ApiRoleStep> = {
    "create role": async ({ role }) => {
      await run.closeSql({ projectId });
      login.password = await run.neon.createRole(projectId, branchId, role);
    },
    "reveal password": async ({ role }) => {
      login.password = await run.neon.revealPassword(projectId, branchId, role);
    },
    "reset password": async ({ role }) => {
      run.log(
        `Setting a new password of role ${role}; this drops the connections of branch ${branchName} once`,
      );
      await run.closeSql({ projectId });
      login.password = await run.neon.resetPassword(projectId, branchId, role, login.password ?? "");
    },
    "delete role": async ({ role }) => {
      await run.closeSql({ projectId });
      await run.neon.deleteRole(projectId, branchId, role);
    },
  };
  await execute(steps, doers, run);
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
  error: OperationError | UnreadableAnswer | NeonError,
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

function outputsOf(
  { name }: ApiRoleInputs,
  target: ResolvedTarget,
  { password = "", created }: Login,
): ApiRoleOutputs {
  return {
    ...recorded(target),
    ...directAddress(target.host),
    username: name,
    password: secret(password),
    created,
  };
}
