import * as z from "zod";
import { notFound } from "../errors";
import { refresh } from "../servers";
import {
  defaultBranch,
  requireBranch,
  requireEndpoint,
  requireProject,
  type BranchState,
  type Neon,
  type ProjectState,
} from "../state";
import { connectionUri } from "../views";
import { requireDatabase } from "./databases";
import { requireRole, storedPassword } from "./roles";
import { checked, flag, ok, param, type Answer, type Call, type Route } from "./route";

const query = z.object({
  database_name: z.string().min(1),
  role_name: z.string().min(1),
  branch_id: z.string().optional(),
  endpoint_id: z.string().optional(),
  // Neon does not document the default. The pooled host is the answer that demands more of a client.
  pooled: flag.default(true),
});

export function connectionUriRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: "/projects/{project_id}/connection_uri", handle: (call) => get(neon, call) },
  ];
}

async function get(neon: Neon, call: Call): Promise<Answer> {
  const project = requireProject(neon, param(call, "project_id"));
  const asked = checked(query, call.query);
  const branch = branchOf(project, asked.branch_id, asked.endpoint_id);
  if (branch.endpoint === undefined) throw notFound("endpoint of branch", branch.id);
  await refresh(neon, project, branch);
  const role = requireRole(branch, asked.role_name);
  const database = requireDatabase(branch, asked.database_name);
  const uri = connectionUri(neon, branch, {
    role: role.name,
    password: storedPassword(project, role),
    database: database.name,
    pooled: asked.pooled,
  });
  return ok({ uri });
}

function branchOf(project: ProjectState, branchId?: string, endpointId?: string): BranchState {
  const branch =
    branchId !== undefined
      ? requireBranch(project, branchId)
      : endpointId !== undefined
        ? requireEndpoint(project, endpointId).branch
        : defaultBranch(project);
  if (endpointId !== undefined && branch.endpoint?.id !== endpointId) throw notFound("endpoint", endpointId);
  return branch;
}
