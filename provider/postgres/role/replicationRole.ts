import { randomBytes } from "node:crypto";
import { UserError } from "../../contract/errors";
import { parseImportId } from "../../contract/importId";
import {
  type ReplicationRoleInputs,
  type ReplicationRoleOutputs,
  replicationRoleDefinition,
} from "../../contract/kinds/replicationRole";
import type { Drift, Kind, Planned, Run } from "../../contract/kind";
import { execute } from "../../contract/plan";
import { recorded } from "../../contract/target";
import { secret } from "../../contract/secrets";
import { firstFew } from "../../contract/wording";
import { decodeMark, madeByResource } from "../ownership/mark";
import { onBranch } from "../session/branch";
import type { Catalog, RoleFacts } from "../../contract/catalog";
import { hasLeftMembership } from "./consumer";
import { preflight, serverFindings } from "../selection/findings";
import { verifyLogin, verifyLoginOnce, verifyNewLogin } from "../session/login";
import { assertAlterable } from "./alterable";
import { applySteps } from "./applySteps";
import { canHaveMade } from "../ownership/roleMaker";
import { describeAdoption, describeSteps } from "./describe";
import { doers } from "./doers";
import { withAdminOn } from "./maker";
import {
  findRole,
  isAdopting,
  isCreatedHere,
  ownershipIdAfter,
  planRemoval,
  planRole,
  privilegesBesides,
  setsPassword,
  settingsToChange,
  type RoleState,
  type RoleStep,
} from "./plan";
import { roleMark } from "./roleMark";
import type { Session } from "../../contract/session";

/**
 * The role Bemi connects with, made in SQL: it may log in and replicate, is read-only by default, and nothing else.
 * With REPLICATION it reads the changes of every table, whatever it may SELECT.
 */
export const replicationRole: Kind<ReplicationRoleInputs, ReplicationRoleOutputs> = {
  definition: replicationRoleDefinition,
  id: ({ projectId, branch, name }) => [projectId, branch, name].filter(Boolean).join("/"),

  plan: (inputs, run, state) => run.sql(inputs, (session) => preview(session, inputs, run, state), state),

  create: (inputs, run) => run.sql(inputs, (session) => converge(session, inputs, run)),

  update: (state, inputs, run) => run.sql(inputs, (session) => converge(session, inputs, run, state), state),

  read: async (state, run) => {
    void beginLogin(state, run).catch(() => undefined);
    const found = await onBranch(state, run, async (session, here) => {
      const catalog = await session.catalog();
      const role = findRole(catalog, state.name);
      if (role === undefined) return undefined;
      // The state lacks `created` when the create failed after its first write: the mark then says whose role it is.
      const { password = "", created = isCreatedHere(catalog, role, state, state, session.target) } = state;
      const outputs = outputsOf(session, state.name, {
        password,
        created,
        ...(created
          ? {
              ownershipId: ownershipIdNow(role, state, session),
              roleOid: state.roleOid ?? (canHaveMade(catalog, role) ? role.oid : undefined),
            }
          : {}),
      });
      if (here) {
        const drift = await driftOf(role, created, session);
        return { outputs, drift, isRefused: () => isRefused(role, outputs, session, run) };
      }
      const { databaseName, databaseOid } = state;
      const lost = { databaseName, databaseOid };
      return { outputs: { ...outputs, ...lost }, drift: { databaseGone: `"${state.database}"` } };
    });
    if (found === undefined) return undefined;
    const { outputs, drift } = found;
    // Here, where the owner's session is free: the other resources are read during the login.
    if ((await found.isRefused?.()) !== true) return { outputs, drift };
    const passwordChanged = "the role does not accept the password in the stack's state";
    return { outputs, drift: { ...drift, passwordChanged } };
  },

  delete: async (state, run) => {
    await onBranch(state, run, async (session) => {
      const catalog = await session.catalog();
      const steps = planRemoval(catalog, state, {
        target: session.target,
        // Only an adopted role stays, and with it a membership in it.
        leftMembership: state.created === false && (await leftMembership(session, catalog, state.name)),
      });
      await execute(steps, doers(session, catalog, state, run, state.created !== false), run);
    });
  },

  find: async (id, run) => {
    const inputs = parseImportId(id, replicationRoleDefinition.type);
    const { projectId, branch, database, name } = inputs;
    const catalog = await run.sql({ projectId, branch, database }, (session) => session.catalog());
    return findRole(catalog, name) && { inputs: { ...inputs, adopt: true }, outputs: { created: false } };
  },
};

/** What an up does about the role, and what is known of the role then. */
interface Work {
  /** The role as it is; `undefined` before it is made. */
  readonly role: RoleFacts | undefined;
  readonly steps: readonly RoleStep[];
  readonly outputs: Pick<ReplicationRoleOutputs, "created" | "ownershipId" | "roleOid">;
}

async function workOn(
  session: Session,
  catalog: Catalog,
  inputs: ReplicationRoleInputs,
  state: RoleState | undefined,
): Promise<Work> {
  preflight(serverFindings(catalog));
  const { target } = session;
  const role = findRole(catalog, inputs.name);
  const steps = planRole(catalog, inputs, state, {
    target,
    leftMembership: await leftMembership(session, catalog, inputs.name),
    newId: randomBytes(8).toString("hex"),
  });
  const created = role === undefined || isCreatedHere(catalog, role, inputs, state, target);
  if (!created) return { role, steps, outputs: { created } };
  return {
    role,
    steps,
    outputs: { created, ownershipId: ownershipIdAfter(steps, role), roleOid: role?.oid },
  };
}

/** What {@link converge} would do. */
async function preview(
  session: Session,
  inputs: ReplicationRoleInputs,
  run: Run,
  state?: RoleState,
): Promise<Planned<ReplicationRoleOutputs>> {
  const catalog = await run.forecast(session);
  const { name } = inputs;
  const { role, steps: planned, outputs: owned } = await workOn(session, catalog, inputs, state);
  const kept = outputsOf(session, name, { password: state?.password ?? "", ...owned });
  const refused =
    role !== undefined && !planned.some(setsPassword) && (await isRefused(role, kept, session, run));
  const steps: readonly RoleStep[] = refused ? [...planned, { step: "set password", role: name }] : planned;
  if (role !== undefined && steps.length > 0)
    await withAdminOn(session, catalog, owned.created ? role : undefined, run, async (altering) =>
      assertAlterable(altering, await altering.catalog(), role),
    );
  run.expect(session, applySteps(catalog, steps));

  const outputs: Partial<ReplicationRoleOutputs> = { ...kept };
  if (steps.some(setsPassword)) delete outputs.password;
  // The create makes an id of its own.
  if (role === undefined && state?.ownershipId === undefined) delete outputs.ownershipId;
  if (role === undefined) delete outputs.roleOid;
  const { created } = owned;
  const database = session.target.database.name;
  return { outputs, changes: describeSteps(steps, { catalog, role, state, created, database }) };
}

/**
 * Begins the login that {@link isRefused} waits for while the catalog is read, which takes as long. Only where the role is
 * still to be reached as the state says; and who waits for its result has seen in the catalog that the role may log in.
 */
async function beginLogin(state: RoleState, run: Run): Promise<void> {
  const { host, port, databaseName: database, name: user, password } = state;
  if (!host || !port || !database || !password) return;
  const now = await run.resolve(state, state);
  if (now.host !== `${host}:${port}` || now.database?.name !== database) return;
  await verifyLoginOnce(run, { host, port, database, user, password });
}

/** Whether a login shows that the role refuses the password. Without LOGIN and CONNECT, none can show it. */
async function isRefused(
  role: RoleFacts,
  outputs: ReplicationRoleOutputs,
  session: Session,
  run: Run,
): Promise<boolean> {
  if (!role.canLogin || !role.mayConnect) return false;
  return outputs.password === "" || (await verifyLoginOnce(run, loginOf(outputs, session))) !== "ok";
}

/** Makes the role, or brings the existing one to what the inputs ask for, and proves the password by a login. */
async function converge(
  session: Session,
  inputs: ReplicationRoleInputs,
  run: Run,
  state?: RoleState,
): Promise<ReplicationRoleOutputs> {
  const catalog = await session.catalog();
  const { name } = inputs;
  const { role, steps, outputs: planned } = await workOn(session, catalog, inputs, state);
  if (role !== undefined && !planned.created && isAdopting(state) && privilegesBesides(role).length > 0)
    run.log(describeAdoption(role));
  const made: { password?: string; oid?: number } = {};
  const doing = doers(session, catalog, inputs, run, planned.created, made);
  await execute(steps, doing, run);
  const owned = { ...planned, roleOid: made.oid ?? planned.roleOid };

  const { password } = state ?? {};
  if (made.password === undefined && password !== undefined) {
    const outputs = outputsOf(session, name, { password, ...owned });
    // What was answered before the steps says nothing about the role after them.
    const verify = steps.length === 0 ? verifyLoginOnce : verifyLogin;
    if ((await verify(run, loginOf(outputs, session))) === "ok") return outputs;
    run.log(`Role ${name} does not accept its stored password any more: a new one is set.`);
    await execute([{ step: "set password", role: name }], doing, run);
  }
  if (made.password === undefined) throw new Error("the plan of a role without a password set none");
  return verified(outputsOf(session, name, { password: made.password, ...owned }), session, run);
}

async function leftMembership(session: Session, catalog: Catalog, name: string): Promise<boolean> {
  return findRole(catalog, name) !== undefined && hasLeftMembership(session, name);
}

/** A login proves the password. Right after a change Neon's proxy may still know the former one. */
async function verified(
  outputs: ReplicationRoleOutputs,
  session: Session,
  run: Run,
): Promise<ReplicationRoleOutputs> {
  const result = await verifyNewLogin(run, loginOf(outputs, session));
  if (result === "ok") return outputs;
  throw new UserError(
    `Role "${outputs.username}" was made, but it cannot log in to the database (${result}). Run pulumi up again; if the error stays, check the server's rules for logins.`,
  );
}

/** What differs from what the role should be, except for its password. */
async function driftOf(role: RoleFacts, created: boolean, session: Session): Promise<Drift> {
  const { attributes, readOnly, leave, connect } = settingsToChange(role, created, undefined);
  const drift: Drift = {
    ...(attributes.length > 0 ? { roleAttributesLost: attributes.join(", ") } : {}),
    ...(readOnly ? { roleNotReadOnly: "default_transaction_read_only is not on" } : {}),
    ...(leave.length > 0 ? { roleMemberships: firstFew(leave) } : {}),
    ...(connect ? { roleMayNotConnect: `database ${session.target.database.name}` } : {}),
  };
  // A destroy disables the login of a role that this module made, which shows above. An adopted role has no such sign.
  if (!created && (await hasLeftMembership(session, role.name)))
    drift.rightsLeftOver = "the database's owner is a member of the role";
  return drift;
}

/** The id in the mark that the role has, if this resource made the role. */
function ownershipIdNow(role: RoleFacts, state: RoleState, { target }: Session): string | undefined {
  const found = madeByResource(role.comment, roleMark(target, state)) ? decodeMark(role.comment) : undefined;
  return state.ownershipId ?? found?.mark.id;
}

function outputsOf(
  session: Session,
  username: string,
  {
    password,
    created,
    ownershipId,
    roleOid,
  }: Pick<ReplicationRoleOutputs, "password" | "created" | "ownershipId" | "roleOid">,
): ReplicationRoleOutputs {
  return {
    ...recorded(session.target),
    ...session.address,
    username,
    password: secret(password),
    created,
    ...(ownershipId === undefined ? {} : { ownershipId }),
    ...(roleOid === undefined ? {} : { roleOid }),
  };
}

function loginOf({ host, port, username, password }: ReplicationRoleOutputs, session: Session) {
  return { host, port, database: session.target.database.name, user: username, password };
}
