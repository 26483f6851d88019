import { capabilities } from "../../contract/capabilities";
import type { Catalog, RoleFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { ReplicationRoleInputs } from "../../contract/inputs";
import type { ReplicationRoleOutputs } from "../../contract/outputs";
import type { ResolvedTarget } from "../../contract/target";
import { encodeMark, existsAlready, madeByResource, ownership } from "../ownership/mark";
import { roleMark } from "./roleMark";
import { attributesToRestore, READ_ONLY, type RoleSettings } from "./statement";

/** The state of a role's resource. A state of an older release may lack outputs. */
export type RoleState = ReplicationRoleInputs & Partial<ReplicationRoleOutputs>;

/**
 * What is done to the role. No step holds a password: its doer makes one. With `newPassword`, `alter role` sets a new
 * password in the same transaction. `set password` sets a new password only.
 */
export type RoleStep =
  | { readonly step: "create role"; readonly role: string; readonly mark: string }
  | { readonly step: "revoke membership"; readonly role: string }
  | {
      readonly step: "alter role";
      readonly role: string;
      readonly settings: RoleSettings;
      readonly newPassword: boolean;
    }
  | { readonly step: "set password"; readonly role: string }
  | { readonly step: "keep role"; readonly role: string; readonly because: string }
  | { readonly step: "disable login"; readonly role: string }
  | { readonly step: "drop role"; readonly role: string; readonly oid: number };

/** What planning takes besides the catalog, the inputs and the state. */
export interface RoleContext {
  readonly target: Pick<ResolvedTarget, "projectId" | "branchId">;
  /** Whether a destroy that was killed has left our role a membership in this role. */
  readonly leftMembership: boolean;
}

/**
 * The steps that make the role, or bring the existing one to what the inputs ask for. A setting that is as it should be
 * is not set again.
 *
 * Whether the role still accepts the password of the state is not planned: only a login tells, and only after these
 * steps, which may give the role its LOGIN back.
 *
 * @throws UserError if our role may not make the role, or the existing role may not be taken over
 */
export function planRole(
  catalog: Catalog,
  inputs: ReplicationRoleInputs,
  state: RoleState | undefined,
  { target, leftMembership }: RoleContext,
): RoleStep[] {
  const { name } = inputs;
  const mark = encodeMark(roleMark(target, inputs));
  const role = findRole(catalog, name);
  if (role === undefined) {
    const obstacle = obstacleToCreate(catalog, name);
    if (obstacle !== undefined) throw new UserError(obstacle);
    return [{ step: "create role", role: name, mark }];
  }

  const created = isCreatedHere(role, inputs, state, target);
  if (!created && state?.created !== false) assertAdoptable(role, inputs, target, catalog);

  const settings = settingsToChange(role, created, mark);
  const newPassword = state?.password === undefined || inputs.passwordVersion !== state.passwordVersion;
  const steps: RoleStep[] = leftMembership ? [{ step: "revoke membership", role: name }] : [];
  if (changesSomething(settings)) steps.push({ step: "alter role", role: name, settings, newPassword });
  else if (newPassword) steps.push({ step: "set password", role: name });
  return steps;
}

/** The steps of a destroy: the role goes if this resource made it, and otherwise stays. */
export function planRemoval(
  catalog: Catalog,
  state: RoleState,
  { target, leftMembership }: RoleContext,
): RoleStep[] {
  const role = findRole(catalog, state.name);
  if (role === undefined) return [];
  const { name } = role;
  if (state.created === false) {
    const keep: RoleStep = { step: "keep role", role: name, because: "it existed before" };
    return leftMembership ? [{ step: "revoke membership", role: name }, keep] : [keep];
  }
  if (!madeByResource(role.comment, roleMark(target, state)))
    return [
      {
        step: "keep role",
        role: name,
        because: "it does not carry this resource's mark, so this resource did not make it",
      },
    ];
  const drop: RoleStep = { step: "drop role", role: name, oid: role.oid };
  return role.canLogin ? [{ step: "disable login", role: name }, drop] : [drop];
}

/** Whether this resource made the role: by the mark, or by the state and a mark with a former id of the branch. */
export function isCreatedHere(
  role: RoleFacts,
  inputs: ReplicationRoleInputs,
  state: RoleState | undefined,
  target: RoleContext["target"],
): boolean {
  if (ownership(role.comment, roleMark(target, inputs)) === "ours") return true;
  return state?.created === true && madeByResource(role.comment, roleMark(target, state));
}

/** What differs from the settings that the role should have. An adopted role only has to be able to do its work. */
export function settingsToChange(role: RoleFacts, created: boolean, mark: string | undefined): RoleSettings {
  return {
    attributes: attributesToRestore(role, created),
    readOnly: created && !role.settings.includes(READ_ONLY),
    connect: created && !role.mayConnect,
    leave: created ? role.memberOf : [],
    ...(created && mark !== undefined && role.comment !== mark ? { mark } : {}),
  };
}

function changesSomething({ attributes, leave, readOnly, connect, mark }: RoleSettings): boolean {
  return attributes.length > 0 || leave.length > 0 || readOnly || connect || mark !== undefined;
}

/** Why our role cannot make one with REPLICATION, and what to do; `undefined` if it can. */
export function obstacleToCreate({ server }: Catalog, name: string): string | undefined {
  if (server.currentRoleIsSuperuser) return undefined;
  if (!capabilities(server.version).delegatedRoles)
    return `Role "${name}" cannot be made in SQL: before PostgreSQL 16 only a superuser can make a role with REPLICATION. Use ApiRole, or role.createdBy: "api" of BemiAuditTrail: Neon's API can make the role.`;
  if (!server.currentRoleMayCreateRoles || !server.currentRoleMayReplicate)
    return `Role "${name}" cannot be made by ${server.currentRole}, which needs CREATEROLE and REPLICATION for that. Make a role of Neon's console or API the owner of the database, or use ApiRole, or role.createdBy: "api" of BemiAuditTrail.`;
  return undefined;
}

/**
 * An existing role is taken over only if the inputs ask for it, and only if it can do its work as it is.
 *
 * @throws UserError otherwise
 */
function assertAdoptable(
  role: RoleFacts,
  inputs: ReplicationRoleInputs,
  target: RoleContext["target"],
  catalog: Catalog,
): void {
  const found = ownership(role.comment, roleMark(target, inputs));
  if (!inputs.adopt) throw new UserError(existsAlready(`Role "${role.name}"`, found, role.comment));
  if (role.name === catalog.server.currentRole)
    throw new UserError(
      `Role "${role.name}" owns the database; Bemi needs a role of its own. Choose another name.`,
    );
  const lacks = [
    ...attributesToRestore(role, false),
    ...(role.mayConnect ? [] : ["CONNECT on the database"]),
  ];
  if (lacks.length > 0)
    throw new UserError(
      `Role "${role.name}" cannot be taken over as it is: it lacks ${lacks.join(" and ")}. Give the role that first, or choose another name and let the role be made.`,
    );
}

/** The role of this name, if there is one. */
export function findRole(catalog: Catalog, name: string): RoleFacts | undefined {
  return catalog.roles.find((role) => role.name === name);
}
