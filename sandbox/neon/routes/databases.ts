import * as z from "zod";
import { newDatabase } from "../create";
import { ApiError, notFound } from "../errors";
import type { OperationState } from "../operations";
import { createDatabase, dropDatabase, refresh } from "../servers";
import {
  requireBranch,
  requireProject,
  type BranchState,
  type DatabaseState,
  type Neon,
  type ProjectState,
} from "../state";
import { configure } from "../steps";
import { databaseView, operationView } from "../views";
import { databaseName } from "./names";
import { requireRole } from "./roles";
import { checked, created, NO_CONTENT, ok, param, type Answer, type Call, type Route } from "./route";

const newOne = z.object({ database: z.object({ name: databaseName, owner_name: z.string() }) });

const ALL = "/projects/{project_id}/branches/{branch_id}/databases";
const ONE = `${ALL}/{database_name}`;

export function databaseRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: ALL, handle: (call) => list(neon, call) },
    { method: "POST", path: ALL, handle: (call) => create(neon, call) },
    { method: "GET", path: ONE, handle: (call) => one(neon, call) },
    { method: "DELETE", path: ONE, handle: (call) => remove(neon, call) },
  ];
}

async function upToDate(neon: Neon, call: Call): Promise<{ project: ProjectState; branch: BranchState }> {
  const project = requireProject(neon, param(call, "project_id"));
  const branch = requireBranch(project, param(call, "branch_id"));
  await refresh(neon, project, branch);
  return { project, branch };
}

/** @throws ApiError 404 if there is no such database */
export function requireDatabase(branch: BranchState, name: string): DatabaseState {
  const database = branch.databases.find((candidate) => candidate.name === name);
  if (database === undefined) throw notFound("database", name);
  return database;
}

async function list(neon: Neon, call: Call): Promise<Answer> {
  const { branch } = await upToDate(neon, call);
  return ok({ databases: branch.databases.map((database) => databaseView(branch, database)) });
}

async function one(neon: Neon, call: Call): Promise<Answer> {
  const { branch } = await upToDate(neon, call);
  return ok({ database: databaseView(branch, requireDatabase(branch, param(call, "database_name"))) });
}

async function create(neon: Neon, call: Call): Promise<Answer> {
  const { project, branch } = await upToDate(neon, call);
  const { name, owner_name: owner } = checked(newOne, call.body).database;
  requireRole(branch, owner);
  project.operations.assertIdle();
  if (branch.databases.some((database) => database.name === name))
    throw new ApiError(409, `database "${name}" already exists`);
  const database = newDatabase(name, owner);
  const operations = project.operations.schedule(
    configure(neon, branch, () => createDatabase(neon.compute, branch.id, name, owner)),
    call.operationFault,
  );
  branch.databases = [...branch.databases, database];
  return created(answer(project, branch, database, operations));
}

async function remove(neon: Neon, call: Call): Promise<Answer> {
  const { project, branch } = await upToDate(neon, call);
  const database = branch.databases.find(({ name }) => name === param(call, "database_name"));
  project.operations.assertIdle();
  if (database === undefined) return NO_CONTENT;
  const operations = project.operations.schedule(
    configure(neon, branch, async () => {
      await dropDatabase(neon.compute, branch.id, database.name);
      branch.databases = branch.databases.filter(({ name }) => name !== database.name);
    }),
    call.operationFault,
  );
  return ok(answer(project, branch, database, operations));
}

function answer(
  project: ProjectState,
  branch: BranchState,
  database: DatabaseState,
  operations: readonly OperationState[],
) {
  return {
    database: databaseView(branch, database),
    operations: operations.map((operation) => operationView(project, operation)),
  };
}
