import * as z from "zod";
import { newRole } from "../create";
import { ApiError, notFound } from "../errors";
import { newPassword } from "../names";
import type { OperationState } from "../operations";
import { createApiRole, dropRole, refresh, setPassword } from "../servers";
import {
  requireBranch,
  requireProject,
  type BranchState,
  type Neon,
  type ProjectState,
  type RoleState,
} from "../state";
import { configure } from "../steps";
import { operationView, roleView } from "../views";
import { roleName } from "./names";
import { checked, created, NO_CONTENT, ok, param, type Answer, type Call, type Route } from "./route";

const shape = z.object({ role: z.object({ name: z.string(), no_login: z.boolean().default(false) }) });

const ALL = "/projects/{project_id}/branches/{branch_id}/roles";
const ONE = `${ALL}/{role_name}`;

export function roleRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: ALL, handle: (call) => list(neon, call) },
    { method: "POST", path: ALL, handle: (call) => create(neon, call) },
    { method: "GET", path: ONE, handle: (call) => one(neon, call) },
    { method: "DELETE", path: ONE, handle: (call) => remove(neon, call) },
    { method: "GET", path: `${ONE}/reveal_password`, handle: (call) => reveal(neon, call) },
    { method: "POST", path: `${ONE}/reset_password`, handle: (call) => reset(neon, call) },
  ];
}

async function upToDate(neon: Neon, call: Call): Promise<{ project: ProjectState; branch: BranchState }> {
  const project = requireProject(neon, param(call, "project_id"));
  const branch = requireBranch(project, param(call, "branch_id"));
  await refresh(neon, project, branch);
  return { project, branch };
}

/** @throws ApiError 404 if there is no such role */
export function requireRole(branch: BranchState, name: string): RoleState {
  const role = branch.roles.find((candidate) => candidate.name === name);
  if (role === undefined) throw notFound("role", name);
  return role;
}

/**
 * The password of a role. Neon's computes report a password that was set in SQL. The sandbox does not learn of it, and
 * answers as if it were not stored.
 *
 * @throws ApiError 412 if the project stores no passwords, or if the password was set in SQL
 */
export function storedPassword(project: ProjectState, role: RoleState): string {
  if (!project.storePasswords) throw new ApiError(412, "storing passwords is not enabled for the project");
  if (role.password === undefined) throw new ApiError(412, `the password of role ${role.name} is not stored`);
  return role.password;
}

async function list(neon: Neon, call: Call): Promise<Answer> {
  const { branch } = await upToDate(neon, call);
  return ok({ roles: branch.roles.map((role) => roleView(branch, role)) });
}

async function one(neon: Neon, call: Call): Promise<Answer> {
  const { branch } = await upToDate(neon, call);
  return ok({ role: roleView(branch, requireRole(branch, param(call, "role_name"))) });
}

async function create(neon: Neon, call: Call): Promise<Answer> {
  const { project, branch } = await upToDate(neon, call);
  const asked = checked(shape, call.body).role;
  const name = roleName.safeParse(asked.name);
  if (!name.success)
    throw new ApiError(422, `role name ${name.error.issues.map(({ message }) => message).join(", ")}`);
  project.operations.assertIdle();
  if (branch.roles.some((role) => role.name === asked.name))
    throw new ApiError(409, `role "${asked.name}" already exists`);
  const role = newRole(asked.name, asked.no_login ? undefined : newPassword());
  const operations = project.operations.schedule(
    configure(neon, branch, () => createApiRole(neon.compute, branch.id, role)),
    call.operationFault,
  );
  branch.roles = [...branch.roles, role];
  return created(answer(project, branch, role, operations, role.password));
}

async function remove(neon: Neon, call: Call): Promise<Answer> {
  const { project, branch } = await upToDate(neon, call);
  const role = branch.roles.find(({ name }) => name === param(call, "role_name"));
  project.operations.assertIdle();
  if (role === undefined) return NO_CONTENT;
  const owned = branch.databases.find((database) => database.owner === role.name);
  if (owned !== undefined)
    throw new ApiError(422, `role "${role.name}" owns the database "${owned.name}" and cannot be deleted`);
  const operations = project.operations.schedule(
    configure(neon, branch, async () => {
      await dropRole(neon.compute, branch.id, role.name);
      branch.roles = branch.roles.filter(({ name }) => name !== role.name);
    }),
    call.operationFault,
  );
  return ok(answer(project, branch, role, operations));
}

async function reveal(neon: Neon, call: Call): Promise<Answer> {
  const { project, branch } = await upToDate(neon, call);
  return ok({ password: storedPassword(project, requireRole(branch, param(call, "role_name"))) });
}

async function reset(neon: Neon, call: Call): Promise<Answer> {
  const { project, branch } = await upToDate(neon, call);
  const role = requireRole(branch, param(call, "role_name"));
  const password = newPassword();
  const operations = project.operations.schedule(
    configure(neon, branch, () => setPassword(neon.compute, branch.id, role, password)),
    call.operationFault,
  );
  return ok(answer(project, branch, role, operations, password));
}

function answer(
  project: ProjectState,
  branch: BranchState,
  role: RoleState,
  operations: readonly OperationState[],
  password?: string,
) {
  return {
    role: roleView(branch, role, password),
    operations: operations.map((operation) => operationView(project, operation)),
  };
}
