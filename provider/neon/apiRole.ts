import { isGone, UnfinishedError, UserError } from "../contract/errors";
import { apiRoleInputs, type ApiRoleInputs } from "../contract/inputs";
import type { Kind, Run } from "../contract/kind";
import type { ApiRoleOutputs } from "../contract/outputs";
import { recorded, type ResolvedTarget, type Target } from "../contract/target";
import { secret } from "../contract/secrets";
import { directAddress } from "./connection";
import { NeonError, OperationError } from "./errors";

/**
 * A role made through Neon's API. Neon makes every such role a member of `neon_superuser` with CREATEROLE, CREATEDB,
 * BYPASSRLS and REPLICATION: it can write everything and sees rows that row security hides. A role made in SQL can
 * do with less.
 */
export const apiRole: Kind<ApiRoleInputs, ApiRoleOutputs> = {
  name: "apiRole",
  inputs: apiRoleInputs,
  replaceOn: ["projectId", "branch", "name"],
  id: ({ projectId, branch, name }) => [projectId, branch, name].filter(Boolean).join("/"),

  notice: ({ name }) =>
    `Role ${name} is made through Neon's API, where every role can write all tables and bypass row security; making it drops the connections of the branch once`,

  create: async (inputs, run) => {
    const target = await run.resolve(targetOf(inputs));
    const role = await run.neon.role(inputs.projectId, target.branchId, inputs.name);
    if (role !== undefined) return adopt(inputs, role.hasPassword, target, run);
    run.checkpoint();
    await run.closeSql({ projectId: inputs.projectId });
    try {
      const password = await run.neon.createRole(inputs.projectId, target.branchId, inputs.name);
      return outputsOf(inputs, target, password, true);
    } catch (error) {
      if (error instanceof NeonError && error.status === 409) return adopt(inputs, true, target, run);
      // A read that failed came after the creation was sent.
      const sent = error instanceof OperationError || (error instanceof NeonError && error.method === "GET");
      if (sent) throw await unfinished(error, inputs, target, run);
      throw error;
    }
  },

  read: async (state, run) => {
    try {
      const target = await run.resolve(targetOf(state), state);
      const role = await run.neon.role(state.projectId, target.branchId, state.name);
      if (role === undefined) return undefined;
      const password =
        state.password ?? (await run.neon.revealPassword(state.projectId, target.branchId, state.name));
      return { outputs: outputsOf(state, target, password, state.created ?? false) };
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  },

  update: async (state, inputs, run) => {
    const target = await run.resolve(targetOf(inputs), state);
    const { projectId, name } = inputs;
    let password = state.password ?? (await run.neon.revealPassword(projectId, target.branchId, name));
    if (inputs.passwordVersion !== state.passwordVersion) {
      run.log(
        `Setting a new password of role ${name}; this drops the connections of branch ${target.branchName} once`,
      );
      run.checkpoint();
      await run.closeSql({ projectId });
      password = await run.neon.resetPassword(projectId, target.branchId, name, password);
    }
    return outputsOf(inputs, target, password, state.created ?? false);
  },

  delete: async (state, run) => {
    if (state.created !== true) {
      run.log(`Role ${state.name} was not made by this stack, so it stays`);
      return;
    }
    try {
      const target = await run.resolve(targetOf(state), state);
      run.checkpoint();
      await run.closeSql({ projectId: state.projectId });
      await run.neon.deleteRole(state.projectId, target.branchId, state.name);
    } catch (error) {
      if (!isGone(error)) throw error;
      run.log(`Role ${state.name} is gone with its branch or project`);
    }
  },
};

/** All kinds of one database resolve the same target, so that it is looked up once. */
function targetOf({ projectId, branch, database }: ApiRoleInputs): Target {
  return { projectId, branch, database };
}

/** What exists and is not ours is taken over only where that was asked for. Its password stays as it is. */
async function adopt(
  inputs: ApiRoleInputs,
  hasPassword: boolean,
  target: ResolvedTarget,
  run: Run,
): Promise<ApiRoleOutputs> {
  const { projectId, name } = inputs;
  const role = `Role ${name} on branch ${target.branchName} of project ${projectId}`;
  if (!inputs.adopt) {
    throw new UserError(
      `${role} exists already: set adopt: true to use it (it then survives a destroy), or choose another name.`,
    );
  }
  if (!hasPassword) throw new UserError(`${role} has no password to log in with: choose another name.`);
  return outputsOf(inputs, target, await run.neon.revealPassword(projectId, target.branchId, name), false);
}

/**
 * What becomes of a role whose creation did not end well. Nothing but the state marks it as ours, so it is taken away
 * again, or else remembered: while Neon still works on it, it cannot be deleted, and will be good.
 */
async function unfinished(
  error: OperationError | NeonError,
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
  return new UnfinishedError(error.message, { ...outputsOf(inputs, target, password ?? "", true), password });
}

function outputsOf(
  { name }: ApiRoleInputs,
  target: ResolvedTarget,
  password: string,
  created: boolean,
): ApiRoleOutputs {
  return {
    ...recorded(target),
    ...directAddress(target.host),
    username: name,
    password: secret(password),
    created,
  };
}
