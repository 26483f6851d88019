import { capabilities } from "../../contract/capabilities";
import { UserError } from "../../contract/errors";
import { replicationRoleInputs, type ReplicationRoleInputs } from "../../contract/inputs";
import type { Drift, Kind, Run } from "../../contract/kind";
import type { ReplicationRoleOutputs } from "../../contract/outputs";
import { execute, type Doers } from "../../contract/plan";
import { recorded } from "../../contract/target";
import { secret } from "../../contract/secrets";
import { onBranch } from "../session/branch";
import type { Catalog, RoleFacts } from "../../contract/catalog";
import { disableLogin, hasLeftMembership, revokeMembership } from "./consumer";
import { preflight, serverFindings } from "../selection/findings";
import { verifyLoginOnce, verifyNewLogin } from "../session/login";
import { dropRole } from "./drop";
import {
  findRole,
  isCreatedHere,
  planRemoval,
  planRole,
  settingsToChange,
  type RoleState,
  type RoleStep,
} from "./plan";
import { changeRole, newPassword, NO_SETTINGS, type RoleChange } from "./statement";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";

/**
 * The role Bemi connects with, made in SQL: it may log in and replicate, is read-only by default, and nothing else.
 * With REPLICATION it reads the changes of every table, whatever it may SELECT.
 */
export const replicationRole: Kind<ReplicationRoleInputs, ReplicationRoleOutputs> = {
  name: "replicationRole",
  inputs: replicationRoleInputs,
  replaceOn: ["projectId", "branch", "name"],
  id: ({ projectId, branch, name }) => [projectId, branch, name].filter(Boolean).join("/"),

  create: (inputs, run) => run.sql(inputs, (session) => converge(session, inputs, run)),

  update: (state, inputs, run) => run.sql(inputs, (session) => converge(session, inputs, run, state), state),

  read: (state, run) =>
    onBranch(state, run, async (session) => {
      const role = findRole(await session.catalog(), state.name);
      if (role === undefined) return undefined;
      const { password = "", created = false } = state;
      const outputs = outputsOf(session, state.name, password, created);
      const drift =
        session.target.database.name === state.database
          ? await driftOf(role, outputs, session, run)
          : { database: `"${state.database}" is gone` };
      return { outputs, drift };
    }),

  delete: async (state, run) => {
    await onBranch(state, run, async (session) => {
      const catalog = await session.catalog();
      const steps = planRemoval(catalog, state, {
        target: session.target,
        // Only an adopted role stays, and with it a membership in it.
        leftMembership: state.created === false && (await leftMembership(session, catalog, state.name)),
      });
      await execute(steps, doers(session, catalog, state, run), run);
    });
  },
};

/** Makes the role, or brings the existing one to what the inputs ask for, and proves the password by a login. */
async function converge(
  session: Session,
  inputs: ReplicationRoleInputs,
  run: Run,
  state?: RoleState,
): Promise<ReplicationRoleOutputs> {
  const catalog = await session.catalog();
  preflight(serverFindings(catalog));
  const { name } = inputs;
  const { target } = session;
  const role = findRole(catalog, name);
  const steps = planRole(catalog, inputs, state, {
    target,
    leftMembership: await leftMembership(session, catalog, name),
  });
  const made: { password?: string } = {};
  const doing = doers(session, catalog, inputs, run, (password) => {
    made.password = password;
  });
  await execute(steps, doing, run);

  const created = role === undefined || isCreatedHere(role, inputs, state, target);
  const { password } = state ?? {};
  if (made.password === undefined && password !== undefined) {
    const outputs = outputsOf(session, name, password, created);
    if ((await verifyLoginOnce(run, loginOf(outputs, session))) === "ok") return outputs;
    run.log(`Role ${name} does not accept its stored password any more: a new one is set.`);
    await execute([{ step: "set password", role: name }], doing, run);
  }
  if (made.password === undefined) throw new Error("the plan of a role without a password set none");
  return verified(outputsOf(session, name, made.password, created), session, run);
}

/** How each step is done. `passwordMade` is given every new password, before the statement that sets it. */
function doers(
  session: Session,
  catalog: Catalog,
  inputs: ReplicationRoleInputs,
  run: Run,
  passwordMade: (password: string) => void = () => undefined,
): Doers<RoleStep> {
  const freshPassword = (): { readonly password: string } => {
    const password = newPassword();
    passwordMade(password);
    return { password };
  };
  return {
    "create role": ({ role, mark }) =>
      changeRole(
        session,
        {
          name: role,
          create: true,
          ...NO_SETTINGS,
          readOnly: true,
          connect: true,
          mark,
          ...freshPassword(),
        },
        run,
      ),
    "revoke membership": ({ role }) => revokeMembership(session, role),
    "alter role": ({ role, settings, newPassword: replaces }) =>
      alter(
        session,
        { name: role, create: false, ...settings, ...(replaces ? freshPassword() : {}) },
        catalog,
        run,
      ),
    "set password": ({ role }) =>
      alter(session, { name: role, create: false, ...NO_SETTINGS, ...freshPassword() }, catalog, run),
    "keep role": ({ role, because }) => {
      run.log(`Role ${role} stays: ${because}.`);
      return Promise.resolve();
    },
    "disable login": ({ role }) => disableLogin(session, role),
    "drop role": ({ role, oid }) => dropRole(session, { name: role, oid }, inputs, run),
  };
}

async function leftMembership(session: Session, catalog: Catalog, name: string): Promise<boolean> {
  return findRole(catalog, name) !== undefined && hasLeftMembership(session, name);
}

async function alter(session: Session, change: RoleChange, catalog: Catalog, run: Run): Promise<void> {
  try {
    await changeRole(session, change, run);
  } catch (error) {
    if (!hasCode(error, "42501")) throw error;
    const { currentRole, version } = catalog.server;
    throw new UserError(
      `Role "${change.name}" cannot be changed by ${currentRole}: ${error.reason}. ` +
        (!capabilities(version).delegatedRoles
          ? 'Before PostgreSQL 16 only a superuser can. With another name, use ApiRole, or role.createdBy: "api" of BemiAuditTrail.'
          : `Have the role that made it run GRANT "${change.name}" TO "${currentRole}" WITH ADMIN OPTION, or choose another name.`),
    );
  }
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

async function driftOf(
  role: RoleFacts,
  outputs: ReplicationRoleOutputs,
  session: Session,
  run: Run,
): Promise<Drift> {
  const { created, password } = outputs;
  const { attributes, readOnly, leave, connect } = settingsToChange(role, created, undefined);
  const drift: Record<string, Drift[string]> = {};
  if (attributes.length > 0) drift["attributes"] = `to be restored: ${attributes.join(", ")}`;
  if (readOnly) drift["readOnly"] = "the role is no longer read-only by default";
  if (leave.length > 0) drift["memberOf"] = leave;
  if (connect) drift["connect"] = "the role may not connect to the database";
  // A destroy disables the login of a role that this module made, which shows above. An adopted role has no such sign.
  if (!created && (await hasLeftMembership(session, role.name)))
    drift["rights"] = "an interrupted destroy has left the database's owner a member of the role";
  if (role.canLogin && role.mayConnect) {
    const login = password === "" ? "wrong password" : await verifyLoginOnce(run, loginOf(outputs, session));
    if (login !== "ok") drift["password"] = "the role does not accept the password in the stack's state";
  }
  return drift;
}

function outputsOf(
  session: Session,
  username: string,
  password: string,
  created: boolean,
): ReplicationRoleOutputs {
  return { ...recorded(session.target), ...session.address, username, password: secret(password), created };
}

function loginOf({ host, port, username, password }: ReplicationRoleOutputs, session: Session) {
  return { host, port, database: session.target.database.name, user: username, password };
}
