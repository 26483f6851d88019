import { UserError } from "../../contract/errors";
import type { ApiRoleInputs } from "../../contract/inputs";
import type { NeonRole } from "../../contract/neonApi";
import type { ApiRoleOutputs } from "../../contract/outputs";

/** What is done with an API role. A password is never part of a step. */
export type ApiRoleStep =
  | { readonly step: "create role"; readonly role: string }
  | { readonly step: "reveal password"; readonly role: string }
  | { readonly step: "reset password"; readonly role: string }
  | { readonly step: "delete role"; readonly role: string };

type State = ApiRoleInputs & Partial<ApiRoleOutputs>;

/**
 * A role that does not exist is created. An existing role is adopted if `adopt` asks for it, and keeps its password.
 *
 * @param existing the role of that name, if there is one
 * @param branchName for the message
 * @throws UserError if the role exists and may not, or cannot, be adopted
 */
export function planCreate(
  { projectId, name, adopt }: ApiRoleInputs,
  existing: NeonRole | undefined,
  branchName: string,
): ApiRoleStep[] {
  if (existing === undefined) return [{ step: "create role", role: name }];
  const role = `Role ${name} on branch ${branchName} of project ${projectId}`;
  if (!adopt) {
    throw new UserError(
      `${role} exists already: set adopt: true to use it (it then survives a destroy), or choose another name.`,
    );
  }
  if (!existing.hasPassword) {
    throw new UserError(`${role} has no password to log in with: choose another name.`);
  }
  return [{ step: "reveal password", role: name }];
}

/**
 * A changed `passwordVersion` sets a new password. The state lacks the password if creating the role was interrupted.
 */
export function planUpdate(state: State, { name, passwordVersion }: ApiRoleInputs): ApiRoleStep[] {
  const steps: ApiRoleStep[] = [];
  if (state.password === undefined) steps.push({ step: "reveal password", role: name });
  if (passwordVersion !== state.passwordVersion) steps.push({ step: "reset password", role: name });
  return steps;
}

/** A role that this resource did not create stays. */
export function planDelete({ name, created }: State): ApiRoleStep[] {
  return created === true ? [{ step: "delete role", role: name }] : [];
}
