import { z } from "zod";
import { notFound } from "../errors";
import { refresh } from "../servers";
import {
  defaultBranch,
  findBranch,
  findEndpoint,
  findProject,
  type BranchState,
  type Neon,
  type ProjectState,
} from "../state";
import { connectionUri } from "../views";
import { findDatabase } from "./databases";
import { findRole, storedPassword } from "./roles";
import { checked, flag, ok, param, type Answer, type Call, type Route } from "./route";

const query = z.object({
  database_name: z.string().min(1),
  role_name: z.string().min(1),
  branch_id: z.string().optional(),
  endpoint_id: z.string().optional(),
  // Neon does not say what it does without; pooled is the answer that a client must be prepared for.
  pooled: flag.default(true),
});

export function connectionUriRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: "/projects/{project_id}/connection_uri", handle: (call) => get(neon, call) },
  ];
}

async function get(neon: Neon, call: Call): Promise<Answer> {
  const project = findProject(neon, param(call, "project_id"));
  const wanted = checked(query, call.query);
  const branch = meantBranch(project, wanted.branch_id, wanted.endpoint_id);
  if (branch.endpoint === undefined) throw notFound("endpoint of branch", branch.id);
  await refresh(neon, project, branch);
  const role = findRole(branch, wanted.role_name);
  const database = findDatabase(branch, wanted.database_name);
  const uri = connectionUri(neon, branch, {
    role: role.name,
    password: storedPassword(project, role),
    database: database.name,
    pooled: wanted.pooled,
  });
  return ok({ uri });
}

function meantBranch(project: ProjectState, branchId?: string, endpointId?: string): BranchState {
  const branch =
    branchId !== undefined
      ? findBranch(project, branchId)
      : endpointId !== undefined
        ? findEndpoint(project, endpointId).branch
        : defaultBranch(project);
  if (endpointId !== undefined && branch.endpoint?.id !== endpointId) throw notFound("endpoint", endpointId);
  return branch;
}
