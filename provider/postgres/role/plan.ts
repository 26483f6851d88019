import { capabilities } from "../../contract/capabilities";
import type { Catalog, RoleFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { ReplicationRoleInputs, ReplicationRoleOutputs } from "../../contract/kinds/replicationRole";
import type { ResolvedTarget } from "../../contract/target";
import {
  decodeMark,
  encodeMark,
  existsAlready,
  isAdoptable,
  madeByResource,
  ownership,
  type Mark,
} from "../ownership/mark";
import { EFFECT_OF_ADOPTING_ROLE } from "../ownership/handMade";
import { canHaveMade } from "../ownership/roleMaker";
import { quoteIdentifier } from "../sql/quote";
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

/** {@link RoleContext} of an up. */
export interface UpContext extends RoleContext {
  /** Goes into the mark of a role that is made, unless the state has an id already. */
  readonly newId: string;
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
  { target, leftMembership, newId }: UpContext,
): RoleStep[] {
  const { name } = inputs;
  const expected = expectedMark(inputs, state, target);
  const role = findRole(catalog, name);
  if (role === undefined) {
    const obstacle = obstacleToCreate(catalog, name);
    if (obstacle !== undefined) throw new UserError(obstacle);
    return [{ step: "create role", role: name, mark: encodeMark({ ...expected, id: expected.id ?? newId }) }];
  }

  const created = isCreatedHere(catalog, role, inputs, state, target);
  if (!created) refuseForged(catalog, role, expected);
  if (!created && isAdopting(state)) assertAdoptable(role, inputs, expected, catalog);
  if (created && state === undefined) assertUnused(role, inputs, catalog);

  const id = expected.id ?? decodeMark(role.comment)?.mark.id;
  const mark = encodeMark(id === undefined ? expected : { ...expected, id });
  const settings = settingsToChange(role, created, mark);
  const newPassword = lacksPassword(state) || inputs.passwordVersion !== state?.passwordVersion;
  const steps: RoleStep[] = leftMembership ? [{ step: "revoke membership", role: name }] : [];
  if (changesSomething(settings)) steps.push({ step: "alter role", role: name, settings, newPassword });
  else if (newPassword) steps.push({ step: "set password", role: name });
  return steps;
}

/** Whether the role has another password after the step. */
export function setsPassword(step: RoleStep): boolean {
  if (step.step === "alter role") return step.newPassword;
  return step.step === "create role" || step.step === "set password";
}

/** Whether the state has no password: it has no role, or one that was imported. */
function lacksPassword(state: RoleState | undefined): boolean {
  return state?.password === undefined || state.password === "";
}

/** Whether a role that this resource did not make is taken over by this up, and not by an earlier one. */
export function isAdopting(state: RoleState | undefined): boolean {
  return state?.created !== false || lacksPassword(state);
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
  const user = catalog.slots.find(
    ({ active, activeRole, database }) => active && activeRole === name && database !== state.database,
  );
  if (user !== undefined)
    return [
      {
        step: "keep role",
        role: name,
        because: `replication slot ${user.name} of ${user.database === null ? "no database" : `database ${user.database}`} is read as this role. Once it is not, drop the role yourself`,
      },
    ];
  if (!madeByResource(role.comment, roleMark(target, state)) || !isOwnObject(catalog, role, state))
    return [
      {
        step: "keep role",
        role: name,
        because:
          "it does not carry this resource's mark, or was made by another role: this resource did not make it",
      },
    ];
  const drop: RoleStep = { step: "drop role", role: name, oid: role.oid };
  return role.canLogin ? [{ step: "disable login", role: name }, drop] : [drop];
}

/**
 * Whether this resource made the role: by the mark, or by the state and a mark with a former id of the branch; and not
 * by the mark alone, see {@link isOwnObject}.
 */
export function isCreatedHere(
  catalog: Catalog,
  role: RoleFacts,
  inputs: ReplicationRoleInputs,
  state: RoleState | undefined,
  target: RoleContext["target"],
): boolean {
  if (!isOwnObject(catalog, role, state)) return false;
  if (ownership(role.comment, expectedMark(inputs, state, target)) === "ours") return true;
  return state?.created === true && madeByResource(role.comment, roleMark(target, state));
}

/**
 * Whether it is the very role that the resource made, or one that the role we act as can have made. After a change of
 * the database's owner we act as another role than the one that made it, so the recorded oid counts first.
 */
function isOwnObject(catalog: Catalog, role: RoleFacts, state: RoleState | undefined): boolean {
  return state?.roleOid === undefined ? canHaveMade(catalog, role) : state.roleOid === role.oid;
}

/** @throws UserError if the role carries this resource's mark, and another role has made it */
function refuseForged(catalog: Catalog, role: RoleFacts, expected: Mark): void {
  if (ownership(role.comment, expected) !== "ours") return;
  const maker = role.makers[0] ?? "a superuser";
  throw new UserError(
    `Role "${role.name}" exists already, and was made by ${maker}, not by ${catalog.server.currentRole}, although its comment says that this module made it. Nothing was changed. Drop or rename that role, or choose another name. If you made it, run COMMENT ON ROLE ${quoteIdentifier(role.name)} IS NULL; and set adopt: true.`,
  );
}

/** The names are those of the inputs. The id, which decides, is that of the state. */
function expectedMark(
  inputs: ReplicationRoleInputs,
  state: RoleState | undefined,
  target: RoleContext["target"],
): Mark {
  return roleMark(target, { ...inputs, ownershipId: state?.ownershipId });
}

/** The id in the mark of a role that this resource made, for the outputs: what `steps` write, otherwise what it has. */
export function ownershipIdAfter(
  steps: readonly RoleStep[],
  role: Pick<RoleFacts, "comment"> | undefined,
): string | undefined {
  const written = steps.map((step) => {
    if (step.step === "create role") return step.mark;
    return step.step === "alter role" ? step.settings.mark : undefined;
  });
  return decodeMark(written.find((mark) => mark !== undefined) ?? role?.comment)?.mark.id;
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
 * An existing role is taken over only if the inputs ask for it, if no other trail of this branch has made it, and if it
 * can do its work as it is.
 *
 * @throws UserError otherwise
 */
function assertAdoptable(
  role: RoleFacts,
  inputs: ReplicationRoleInputs,
  expected: Mark,
  catalog: Catalog,
): void {
  const found = ownership(role.comment, expected);
  if (found === "none" && !inputs.adopt && isOfNeon(role)) throw new UserError(existsInNeon(role));
  if (!inputs.adopt || !isAdoptable(found))
    throw new UserError(
      existsAlready(`Role "${role.name}"`, found, role.comment, expected, EFFECT_OF_ADOPTING_ROLE),
    );
  if (role.superuser)
    throw new UserError(
      `Role "${role.name}" is a superuser and is not taken over: whoever has Bemi's password could do anything. Choose another name.`,
    );
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

/**
 * Whether Neon made the role, and not SQL: through its API or console. Or the role is what an interrupted up has left: if
 * Neon's control plane is late, the database takes CREATE ROLE back, and Neon makes the role when the compute starts.
 */
export function isOfNeon(role: Pick<RoleFacts, "memberOf">): boolean {
  return role.memberOf.includes("neon_superuser");
}

/** The error text for a role of Neon that is in the way. Nothing in it tells one that is used from one that was left. */
function existsInNeon({ name }: RoleFacts): string {
  return `Role "${name}" exists already and was made by Neon: through its API or console, or out of a CREATE ROLE of an interrupted up. SQL cannot change such a role. If nobody uses it, delete it in Neon's console (the branch, Roles & Databases) and run again. Otherwise choose another name, or take it over with ApiRole and adopt (role.createdBy: "api" of BemiAuditTrail).`;
}

/**
 * A role with the names of this resource, which is in no state, is what an interrupted up has left: then nobody has got
 * its password yet.
 *
 * @throws UserError if somebody uses it all the same
 */
function assertUnused(role: RoleFacts, { managedBy }: ReplicationRoleInputs, catalog: Catalog): void {
  const slot = slotInUse(catalog, role.name);
  if (slot === undefined) return;
  throw new UserError(
    `Role "${role.name}" is in use, through replication slot "${slot}", by another stack that is also called ${managedBy}, perhaps in another backend. Choose another name for the role. If that stack no longer exists, stop the consumer and run again: the role then gets a new password.`,
  );
}

/** Name of a slot that a consumer reads as this role at the moment. */
export function slotInUse(catalog: Catalog, role: string): string | undefined {
  return catalog.slots.find(({ active, activeRole }) => active && activeRole === role)?.name;
}

/** What an adopted role may do besides logging in and replicating, for the user to know; empty if nothing. */
export function privilegesBesides(role: RoleFacts): string[] {
  return [
    ...(role.createRole ? ["CREATEROLE"] : []),
    ...(role.createDb ? ["CREATEDB"] : []),
    ...(role.bypassRls ? ["BYPASSRLS"] : []),
    ...role.memberOf.map((group) => `membership in ${group}`),
  ];
}

/** The role of this name, if there is one. */
export function findRole(catalog: Catalog, name: string): RoleFacts | undefined {
  return catalog.roles.find((role) => role.name === name);
}
