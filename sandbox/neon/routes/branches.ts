import * as z from "zod";
import { createBranch } from "../create";
import { ApiError } from "../errors";
import {
  defaultBranch,
  requireBranch,
  hasChildren,
  requireProject,
  type BranchState,
  type Neon,
  type ProjectState,
} from "../state";
import { removal, step } from "../steps";
import { branchView, connectionDetails, databaseView, endpointView, operationView, roleView } from "../views";
import {
  checked,
  created,
  limit,
  NO_CONTENT,
  ok,
  page,
  param,
  type Answer,
  type Call,
  type Route,
} from "./route";

const name = z.string().min(1).max(256);
const time = z.iso.datetime({ offset: true });

const newBranch = z
  .object({
    branch: z
      .object({
        parent_id: z.string().optional(),
        name: name.optional(),
        parent_lsn: z.string().optional(),
        parent_timestamp: time.optional(),
        protected: z.boolean().default(false),
        init_source: z.enum(["parent-data", "schema-only"]).default("parent-data"),
        expires_at: time.optional(),
      })
      .prefault({}),
    endpoints: z.array(z.object({ type: z.enum(["read_write", "read_only"]) })).default([]),
    annotation_value: z.record(z.string(), z.string()).default({}),
  })
  .prefault({});

const branchChange = z.object({
  branch: z.object({
    name: name.optional(),
    protected: z.boolean().optional(),
    expires_at: time.nullable().optional(),
  }),
});

const SORT_FIELDS = ["name", "created_at", "updated_at"] as const;
const listQuery = z.object({
  search: z.string().default(""),
  sort_by: z.enum(SORT_FIELDS).default("updated_at"),
  sort_order: z.enum(["asc", "desc"]).default("desc"),
  limit: limit(10_000, 100),
  cursor: z.string().optional(),
});

const ONE = "/projects/{project_id}/branches/{branch_id}";

export function branchRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: "/projects/{project_id}/branches", handle: (call) => ok(list(neon, call)) },
    { method: "POST", path: "/projects/{project_id}/branches", handle: (call) => create(neon, call) },
    { method: "GET", path: ONE, handle: (call) => ok(one(neon, call)) },
    { method: "PATCH", path: ONE, handle: (call) => change(neon, call) },
    { method: "DELETE", path: ONE, handle: (call) => remove(neon, call) },
    { method: "POST", path: `${ONE}/set_as_default`, handle: (call) => setAsDefault(neon, call) },
  ];
}

function list(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  const query = checked(listQuery, call.query);
  const found = [...project.branches.values()]
    .filter((branch) => branch.name.includes(query.search) || branch.id.includes(query.search))
    .sort((one, other) => compare(one, other, query.sort_by));
  if (query.sort_order === "desc") found.reverse();
  const { items, cursor, more } = page(found, query.limit, query.cursor);
  return {
    branches: items.map((branch) => branchView(project, branch)),
    annotations: Object.fromEntries(items.map((branch) => [branch.id, annotationView(branch)])),
    pagination: {
      ...(more ? { next: cursor } : {}),
      sort_by: query.sort_by,
      sort_order: query.sort_order,
    },
  };
}

function compare(one: BranchState, other: BranchState, by: (typeof SORT_FIELDS)[number]): number {
  switch (by) {
    case "name":
      return one.name.localeCompare(other.name);
    case "created_at":
      return one.createdAt.getTime() - other.createdAt.getTime();
    case "updated_at":
      return one.updatedAt.getTime() - other.updatedAt.getTime();
  }
}

function one(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  const branch = requireBranch(project, param(call, "branch_id"));
  return {
    branch: branchView(project, branch),
    annotation: annotationView(branch),
  };
}

function annotationView({ id, annotation }: BranchState) {
  return { object: { type: "console/branch", id }, value: annotation };
}

async function create(neon: Neon, call: Call): Promise<Answer> {
  const project = requireProject(neon, param(call, "project_id"));
  const { branch: asked, endpoints, annotation_value: annotation } = checked(newBranch, call.body);
  const parent =
    asked.parent_id === undefined ? defaultBranch(project) : requireBranch(project, asked.parent_id);
  refuseUnsupported(asked, endpoints);
  assertNameIsFree(project, asked.name);
  assertExpiry(asked.expires_at, asked.protected ? "a protected branch" : undefined);
  const { branch, operations } = await createBranch(
    neon,
    project,
    parent,
    {
      name: asked.name,
      protected: asked.protected,
      expiresAt: asked.expires_at,
      schemaOnly: asked.init_source === "schema-only",
      annotation,
      withEndpoint: endpoints.length > 0,
    },
    call.operationFault,
  );
  return created({
    branch: branchView(project, branch),
    endpoints: branch.endpoint === undefined ? [] : [endpointView(neon, project, branch, branch.endpoint)],
    operations: operations.map((operation) => operationView(project, operation)),
    roles: branch.roles.map((role) => roleView(branch, role)),
    databases: branch.databases.map((database) => databaseView(branch, database)),
    ...connectionUris(neon, project, branch),
  });
}

/**
 * As on Neon, the answer has no URI if the branch has several roles or databases, so that it is not clear which to use.
 */
function connectionUris(neon: Neon, project: ProjectState, branch: BranchState) {
  const [role, anotherRole] = branch.roles;
  const [database, anotherDatabase] = branch.databases;
  const clear = anotherRole === undefined && anotherDatabase === undefined;
  if (!clear || branch.endpoint === undefined || !project.storePasswords) return {};
  if (role?.password === undefined || database === undefined) return {};
  const login = { role: role.name, password: role.password, database: database.name };
  return { connection_uris: [connectionDetails(neon, branch, login)] };
}

/** @throws ApiError 422 if the request needs something that the sandbox does not have */
function refuseUnsupported(
  asked: { parent_lsn?: string; parent_timestamp?: string },
  endpoints: readonly { type: string }[],
): void {
  if (asked.parent_lsn !== undefined || asked.parent_timestamp !== undefined)
    throw new ApiError(422, "this sandbox keeps no history: it branches from the present only");
  if (endpoints.some(({ type }) => type === "read_only"))
    throw new ApiError(422, "this sandbox has no read replicas");
  if (endpoints.length > 1) throw new ApiError(422, "a branch has at most one read_write endpoint");
}

function assertNameIsFree(project: ProjectState, name: string | undefined): void {
  if ([...project.branches.values()].some((branch) => branch.name === name))
    throw new ApiError(409, `branch with name "${name}" already exists`);
}

/** How far ahead the expiry of a branch may lie, in milliseconds. */
const LONGEST_LIFE = 30 * 86_400_000;

/**
 * @param never what the branch is, if it cannot expire
 * @throws ApiError 422 if the branch cannot expire at this time
 */
function assertExpiry(expiresAt: string | null | undefined, never: string | undefined): void {
  if (typeof expiresAt !== "string") return;
  if (never !== undefined) throw new ApiError(422, `${never} cannot have an expiration time`);
  const ahead = Date.parse(expiresAt) - Date.now();
  if (ahead <= 0) throw new ApiError(422, "the expiration time must be in the future");
  if (ahead > LONGEST_LIFE) throw new ApiError(422, "the expiration time must be within 30 days");
}

/** What keeps the branch from expiring; `undefined`: nothing. */
function neverExpires(project: ProjectState, branch: BranchState): string | undefined {
  if (branch.isDefault) return "the default branch";
  if (branch.protected) return "a protected branch";
  return hasChildren(project, branch) ? "a branch that has child branches" : undefined;
}

function change(neon: Neon, call: Call): Answer {
  const project = requireProject(neon, param(call, "project_id"));
  const branch = requireBranch(project, param(call, "branch_id"));
  const asked = checked(branchChange, call.body).branch;
  project.operations.assertIdle();
  if (asked.name !== branch.name) assertNameIsFree(project, asked.name);
  assertExpiry(asked.expires_at, neverExpires(project, branch));
  branch.name = asked.name ?? branch.name;
  if (asked.expires_at !== undefined) branch.expiresAt = asked.expires_at ?? undefined;
  branch.updatedAt = new Date();
  const protect = asked.protected ?? branch.protected;
  const changesProtection = protect !== branch.protected;
  branch.protected = protect;
  const operations = project.operations.schedule(
    changesProtection ? [step(branch, "timeline_update_protected_config", () => Promise.resolve())] : [],
    call.operationFault,
  );
  return ok({
    branch: branchView(project, branch),
    operations: operations.map((operation) => operationView(project, operation)),
  });
}

function remove(neon: Neon, call: Call): Answer {
  const project = requireProject(neon, param(call, "project_id"));
  const branch = project.branches.get(param(call, "branch_id"));
  if (branch === undefined) return NO_CONTENT;
  if (branch.isDefault) throw new ApiError(422, "cannot delete the default branch");
  if (branch.parentId === undefined && branch.initSource !== "schema-only")
    throw new ApiError(422, "cannot delete a root branch");
  if (branch.protected) throw new ApiError(422, "cannot delete a protected branch");
  if (hasChildren(project, branch)) throw new ApiError(422, "cannot delete a branch that has child branches");
  const view = branchView(project, branch);
  const operations = project.operations.schedule(removal(neon, project, branch), call.operationFault);
  return ok({
    branch: view,
    operations: operations.map((operation) => operationView(project, operation)),
  });
}

function setAsDefault(neon: Neon, call: Call): Answer {
  const project = requireProject(neon, param(call, "project_id"));
  const branch = requireBranch(project, param(call, "branch_id"));
  project.operations.assertIdle();
  defaultBranch(project).isDefault = false;
  branch.isDefault = true;
  branch.updatedAt = new Date();
  return ok({ branch: branchView(project, branch), operations: [] });
}
