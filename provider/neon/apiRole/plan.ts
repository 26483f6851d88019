import type { Catalog, RoleFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { ApiRoleInputs, ApiRoleOutputs } from "../../contract/kinds/apiRole";
import type { NeonRole } from "../../contract/neonApi";

/** What is done with an API role. A password is never part of a step. */
export type ApiRoleStep =
  | { readonly step: "create role"; readonly role: string }
  | { readonly step: "reveal password"; readonly role: string }
  | { readonly step: "take over password"; readonly role: string }
  | { readonly step: "reset password"; readonly role: string }
  | { readonly step: "delete role"; readonly role: string };

type State = ApiRoleInputs & Partial<ApiRoleOutputs>;

/**
 * A role that does not exist is created. An existing role is adopted if `adopt` asks for it, and keeps its password unless
 * `renewPassword` asks for a new one.
 *
 * @param existing the role of that name, if there is one
 * @param branchName for the message
 * @throws UserError if the role exists and may not, or cannot, be adopted
 */
export function planCreate(
  { projectId, name, adopt, renewPassword = false }: ApiRoleInputs,
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
  const reveal: ApiRoleStep = { step: "reveal password", role: name };
  return renewPassword ? [reveal, { step: "reset password", role: name }] : [reveal];
}

/**
 * A changed `passwordVersion` sets a new password. The state lacks the password if creating the role was interrupted. A
 * password that somebody has set since is taken over: the consumer may have it already.
 *
 * @param passwordChanged whether Neon has another password for the role than the state
 */
export function planUpdate(
  state: State,
  { name, passwordVersion }: ApiRoleInputs,
  passwordChanged = false,
): ApiRoleStep[] {
  const steps: ApiRoleStep[] = [];
  if (state.password === undefined) steps.push({ step: "reveal password", role: name });
  else if (passwordChanged) steps.push({ step: "take over password", role: name });
  if (passwordVersion !== state.passwordVersion) steps.push({ step: "reset password", role: name });
  return steps;
}

/** A role that this resource did not create stays. */
export function planDelete({ name, created }: State): ApiRoleStep[] {
  return created === true ? [{ step: "delete role", role: name }] : [];
}

/**
 * What the steps of a create or an update do, for a preview.
 *
 * @param inState whether the state has the role: then its password is only read again
 */
export function describeSteps(steps: readonly ApiRoleStep[], branchName: string, inState: boolean): string[] {
  const renews = steps.some(({ step }) => step === "reset password");
  return steps.flatMap(({ step, role }) => {
    if (step === "create role")
      return [
        `Role ${role} is made through Neon's API, where every role can write all tables and bypass row security; making it drops the connections of branch ${branchName} once.`,
      ];
    if (step === "reset password")
      return [
        `Role ${role} gets a new password, which drops the connections of branch ${branchName} once; the consumer must be given the new one.`,
      ];
    if (step === "take over password")
      return renews
        ? []
        : [
            `The stack takes over the password that role ${role} has got in Neon since the last run; the consumer must have that one.`,
          ];
    return step === "reveal password" && !inState
      ? [
          renews
            ? `Role ${role} exists already and is taken over; it stays on destroy.`
            : `Role ${role} exists already and is used as it is, with its password; it stays on destroy.`,
        ]
      : [];
  });
}

/** The catalog as it will be after the steps. */
export function applySteps(catalog: Catalog, steps: readonly ApiRoleStep[]): Catalog {
  return steps.reduce(
    (before, { step, role }) =>
      step === "create role" ? { ...before, roles: [...before.roles, madeByNeon(role)] } : before,
    catalog,
  );
}

/** A role as Neon makes it. It has no oid yet. */
function madeByNeon(name: string): RoleFacts {
  return {
    oid: 0,
    name,
    canLogin: true,
    replication: true,
    superuser: false,
    createRole: true,
    createDb: true,
    bypassRls: true,
    inherit: true,
    connectionLimit: -1,
    validUntil: null,
    settings: [],
    comment: null,
    memberOf: ["neon_superuser"],
    makers: [],
    mayConnect: true,
  };
}
