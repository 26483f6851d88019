import * as z from "zod";
import { createProject } from "../create";
import { ApiError, notFound } from "../errors";
import { changeSettings, newSettings, settingsChange } from "../settings";
import { defaultBranch, requireProject, type Neon } from "../state";
import { enableLogicalReplication, step } from "../steps";
import {
  branchView,
  connectionDetails,
  databaseView,
  endpointView,
  operationView,
  projectListItem,
  projectView,
  roleView,
} from "../views";
import { checked, created, limit, ok, page, param, type Call, type Route } from "./route";
import { databaseName, roleName } from "./names";

const name = z.string().min(1).max(256);
const historyRetentionSeconds = z.int().min(0).max(2_592_000);

const newProject = z.object({
  project: z.object({
    name: name.optional(),
    pg_version: z.int().min(14).max(18).optional(),
    org_id: z.string().optional(),
    store_passwords: z.boolean().default(true),
    settings: settingsChange.default({}),
    history_retention_seconds: historyRetentionSeconds.default(86_400),
    branch: z
      .object({
        name: name.default("main"),
        role_name: roleName.default("neondb_owner"),
        database_name: databaseName.default("neondb"),
      })
      .prefault({}),
  }),
});

const projectChange = z.object({
  project: z.object({
    name: name.optional(),
    settings: settingsChange.optional(),
    history_retention_seconds: historyRetentionSeconds.optional(),
  }),
});

const listQuery = z.object({
  search: z.string().optional(),
  org_id: z.string().optional(),
  cursor: z.string().optional(),
  limit: limit(400, 10),
});

export function projectRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: "/projects", handle: (call) => ok(list(neon, call)) },
    { method: "GET", path: "/projects/shared", handle: () => ok({ projects: [] }) },
    { method: "POST", path: "/projects", handle: (call) => create(neon, call) },
    {
      method: "GET",
      path: "/projects/{project_id}",
      handle: (call) => ok({ project: projectView(neon, requireProject(neon, param(call, "project_id"))) }),
    },
    { method: "PATCH", path: "/projects/{project_id}", handle: (call) => change(neon, call) },
    { method: "DELETE", path: "/projects/{project_id}", handle: (call) => remove(neon, call) },
  ];
}

function list(neon: Neon, call: Call) {
  const query = checked(listQuery, call.query);
  if (query.org_id !== undefined && query.org_id !== neon.organization.id)
    throw notFound("organization", query.org_id);
  const visible = [...neon.projects.values()].filter(
    (project) =>
      (call.key !== "project" || project.id === neon.projectOfKey) &&
      [project.id, project.name].some((text) => text.includes(query.search ?? "")),
  );
  const { items, cursor } = page(visible, query.limit, query.cursor);
  return {
    projects: items.map((project) => projectListItem(neon, project)),
    ...(cursor === undefined ? {} : { pagination: { cursor } }),
    applications: {},
    integrations: {},
  };
}

async function create(neon: Neon, call: Call) {
  const asked = checked(newProject, call.body).project;
  if (asked.org_id !== undefined && asked.org_id !== neon.organization.id)
    throw notFound("organization", asked.org_id);
  if (asked.pg_version !== undefined && asked.pg_version !== neon.compute.pgVersion)
    throw new ApiError(
      400,
      `this sandbox runs PostgreSQL ${neon.compute.pgVersion} only; it was asked for ${asked.pg_version}`,
    );
  const made = await createProject(
    neon,
    {
      name: asked.name,
      storePasswords: asked.store_passwords,
      settings: changeSettings(newSettings(), asked.settings),
      historyRetentionSeconds: asked.history_retention_seconds,
      branchName: asked.branch.name,
      role: asked.branch.role_name,
      database: asked.branch.database_name,
    },
    call.operationFault,
  );
  const { project, branch, endpoint, operations, login } = made;
  return created({
    project: projectView(neon, project),
    connection_uris: [connectionDetails(neon, branch, login)],
    roles: branch.roles.map((role) => roleView(branch, role, role.password)),
    databases: branch.databases.map((database) => databaseView(branch, database)),
    operations: operations.map((operation) => operationView(project, operation)),
    branch: branchView(project, branch),
    endpoints: [endpointView(neon, project, branch, endpoint)],
  });
}

function change(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  const asked = checked(projectChange, call.body).project;
  project.operations.assertIdle();
  const settings = changeSettings(project.settings, asked.settings ?? {});
  const enabled = settings.enable_logical_replication && !project.settings.enable_logical_replication;
  project.settings = settings;
  project.name = asked.name ?? project.name;
  project.historyRetentionSeconds = asked.history_retention_seconds ?? project.historyRetentionSeconds;
  project.updatedAt = new Date();
  const steps = enabled ? enableLogicalReplication(neon, project) : [];
  // Neon does not document the operations of other settings. A fault about operations needs one to apply to.
  if (steps.length === 0 && call.operationFault !== undefined)
    steps.push(step(defaultBranch(project), "apply_config", () => Promise.resolve()));
  const operations = project.operations.schedule(steps, call.operationFault);
  return ok({
    project: projectView(neon, project),
    operations: operations.map((operation) => operationView(project, operation)),
  });
}

async function remove(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  project.operations.assertIdle();
  if ([...project.branches.values()].some((branch) => branch.protected))
    throw new ApiError(422, "project has protected branches and cannot be deleted");
  neon.projects.delete(project.id);
  const view = projectView(neon, project);
  for (const branch of project.branches.values())
    if (!branch.listedOnly) await neon.compute.deleteBranch(branch.id);
  return ok({ project: view });
}
