import { capabilities } from "../../contract/capabilities";
import { UserError } from "../../contract/errors";
import { replicationRoleInputs, type ReplicationRoleInputs } from "../../contract/inputs";
import type { Drift, Kind, Run } from "../../contract/kind";
import type { ReplicationRoleOutputs } from "../../contract/outputs";
import { recorded } from "../../contract/target";
import { secret } from "../../contract/secrets";
import { onBranch } from "../session/branch";
import type { Catalog, RoleFacts } from "../../contract/catalog";
import { giveBackRights, keepsRights } from "./consumer";
import { preflight, serverFindings } from "../selection/findings";
import { verifyLoginOnce, verifyNewLogin } from "../session/login";
import { existsAlready, formatMark, madeByResource, ownership, type Mark } from "../ownership/mark";
import { dropRole } from "./drop";
import { attributesToRestore, changeRole, newPassword, READ_ONLY, type RoleChange } from "./statement";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";

type State = ReplicationRoleInputs & Partial<ReplicationRoleOutputs>;

/**
 * The role Bemi connects with, made in SQL: it may log in and replicate, is read-only by default, and nothing else.
 * REPLICATION lets it read the changes of every table all the same.
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
      const role = find(await session.catalog(), state.name);
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
    await onBranch(state, run, (session) => remove(session, state, run));
  },
};

/** Brings the role to what is wanted, whatever is there; nothing is set that is as it should be. */
async function converge(
  session: Session,
  inputs: ReplicationRoleInputs,
  run: Run,
  state?: State,
): Promise<ReplicationRoleOutputs> {
  const catalog = await session.catalog();
  preflight(serverFindings(catalog));
  const { name } = inputs;
  const mark = markOf(session, inputs);
  const role = find(catalog, name);

  if (role === undefined) {
    assertMayCreate(catalog, name);
    const password = newPassword();
    run.checkpoint();
    const all = { attributes: [], leave: [], readOnly: true, connect: true };
    await changeRole(session, { ...all, name, create: true, mark: formatMark(mark), password }, run);
    return verified(outputsOf(session, name, password, true), session, run);
  }

  await giveBackRights(session, name);
  const created = isOurs(role, mark, session, state);
  if (!created && state?.created !== false) assertAdoptable(role, mark, inputs, catalog);

  const change: RoleChange = {
    name,
    create: false,
    attributes: attributesToRestore(role, created),
    readOnly: created && !role.settings.includes(READ_ONLY),
    connect: created && !role.mayConnect,
    leave: created ? role.memberOf : [],
    ...(created && role.comment !== formatMark(mark) ? { mark: formatMark(mark) } : {}),
  };
  run.checkpoint();
  const { password } = state ?? {};
  const rotates = password === undefined || inputs.passwordVersion !== state?.passwordVersion;
  if (!rotates) {
    if (changesSomething(change)) await alter(session, change, catalog, run);
    const outputs = outputsOf(session, name, password, created);
    if ((await verifyLoginOnce(run, loginOf(outputs, session))) === "ok") return outputs;
    run.log(`Role ${name} does not accept its stored password any more: a new one is set.`);
  }
  const fresh = newPassword();
  await alter(
    session,
    rotates ? { ...change, password: fresh } : { ...nothing(name), password: fresh },
    catalog,
    run,
  );
  return verified(outputsOf(session, name, fresh, created), session, run);
}

/** Whether this resource made the role: by its mark, or by the state and a mark that an older branch id is in. */
function isOurs(role: RoleFacts, mark: Mark, session: Session, state: State | undefined): boolean {
  if (ownership(role.comment, mark) === "ours") return true;
  return state?.created === true && madeByResource(role.comment, markOf(session, state));
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
          ? 'Before PostgreSQL 16 only a superuser can; set role.createdBy to "api" with another name.'
          : `Have whoever made it run GRANT "${change.name}" TO "${currentRole}" WITH ADMIN OPTION, or choose another name.`),
    );
  }
}

function nothing(name: string): RoleChange {
  return { name, create: false, attributes: [], leave: [], readOnly: false, connect: false };
}

function changesSomething({ attributes, leave, readOnly, connect, mark }: RoleChange): boolean {
  return attributes.length > 0 || leave.length > 0 || readOnly || connect || mark !== undefined;
}

/** @throws UserError where the role we are connected as cannot make one with REPLICATION */
export function assertMayCreate({ server }: Catalog, name: string): void {
  if (server.currentRoleIsSuperuser) return;
  if (!capabilities(server.version).delegatedRoles)
    throw new UserError(
      `Role "${name}" cannot be made in SQL: before PostgreSQL 16 only a superuser can make a role with REPLICATION. Set role.createdBy to "api", which makes it through Neon's API.`,
    );
  if (!server.currentRoleMayCreateRoles || !server.currentRoleMayReplicate)
    throw new UserError(
      `Role "${name}" cannot be made by ${server.currentRole}, which itself needs CREATEROLE and REPLICATION for that. Make the database's owner a role of Neon's console or API, or set role.createdBy to "api".`,
    );
}

/** A role that was there before is taken over only if asked for, and only if it can do its work as it is. */
function assertAdoptable(
  role: RoleFacts,
  mark: Mark,
  { adopt }: ReplicationRoleInputs,
  catalog: Catalog,
): void {
  const found = ownership(role.comment, mark);
  if (!adopt) throw new UserError(existsAlready(`Role "${role.name}"`, found, role.comment));
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
      `Role "${role.name}" cannot be taken over as it is: it lacks ${lacks.join(" and ")}. Give it that first, or choose another name and let the role be made.`,
    );
}

/** A login proves the password. Right after a change Neon's proxy may still hold the old one. */
async function verified(
  outputs: ReplicationRoleOutputs,
  session: Session,
  run: Run,
): Promise<ReplicationRoleOutputs> {
  const result = await verifyNewLogin(run, loginOf(outputs, session));
  if (result === "ok") return outputs;
  throw new UserError(
    `Role "${outputs.username}" was made, but it does not get into the database (${result}). Run again; if it stays so, check the server's login rules.`,
  );
}

async function driftOf(
  role: RoleFacts,
  outputs: ReplicationRoleOutputs,
  session: Session,
  run: Run,
): Promise<Drift> {
  const { created, password } = outputs;
  const attributes = attributesToRestore(role, created);
  const drift: Record<string, Drift[string]> = {};
  if (attributes.length > 0) drift["attributes"] = `to be restored: ${attributes.join(", ")}`;
  if (created && !role.settings.includes(READ_ONLY))
    drift["readOnly"] = "the role is no longer read-only by default";
  if (created && role.memberOf.length > 0) drift["memberOf"] = role.memberOf;
  if (created && !role.mayConnect) drift["connect"] = "the role may not connect to the database";
  // One of our own is shut out by such a destroy as well, which shows.
  if (!created && (await keepsRights(session, role.name)))
    drift["rights"] = "a destroy that was killed has left the role's rights to the owner";
  if (role.canLogin && role.mayConnect) {
    const login = password === "" ? "wrong password" : await verifyLoginOnce(run, loginOf(outputs, session));
    if (login !== "ok") drift["password"] = "the role does not accept the password in the stack's state";
  }
  return drift;
}

async function remove(session: Session, state: State, run: Run): Promise<void> {
  const { name } = state;
  const role = find(await session.catalog(), name);
  if (role === undefined) return;
  if (state.created === false) {
    await giveBackRights(session, name);
    run.log(`Role ${name} stays: it was there before.`);
    return;
  }
  if (!madeByResource(role.comment, markOf(session, state))) {
    run.log(`Role ${name} stays: it does not carry this resource's mark, so somebody else made it.`);
    return;
  }
  await dropRole(session, role, state, run);
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

function markOf(session: Session, { managedBy, database }: ReplicationRoleInputs): Mark {
  const { projectId, branchId } = session.target;
  return { projectId, branchId, database, managedBy };
}

function find(catalog: Catalog, name: string): RoleFacts | undefined {
  return catalog.roles.find((role) => role.name === name);
}
