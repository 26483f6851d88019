import * as z from "zod";
import { newEndpoint } from "../create";
import { ApiError } from "../errors";
import type { OperationState, Step } from "../operations";
import {
  assertServer,
  requireBranch,
  requireEndpoint,
  requireProject,
  isRunning,
  type BranchState,
  type EndpointState,
  type Neon,
  type ProjectState,
} from "../state";
import { start, suspend } from "../steps";
import { endpointView, operationView } from "../views";
import { checked, created, NO_CONTENT, ok, param, type Answer, type Call, type Route } from "./route";

const settings = {
  suspend_timeout_seconds: z.int().min(-1).max(604_800).optional(),
  autoscaling_limit_min_cu: z.number().min(0.25).optional(),
  autoscaling_limit_max_cu: z.number().min(0.25).optional(),
  disabled: z.boolean().optional(),
};
const newOne = z.object({
  endpoint: z.object({ branch_id: z.string(), type: z.enum(["read_write", "read_only"]), ...settings }),
});
const endpointChange = z.object({ endpoint: z.object(settings) });

const ALL = "/projects/{project_id}/endpoints";
const ONE = `${ALL}/{endpoint_id}`;

export function endpointRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: ALL, handle: (call) => ok(list(neon, call)) },
    { method: "POST", path: ALL, handle: (call) => create(neon, call) },
    {
      method: "GET",
      path: "/projects/{project_id}/branches/{branch_id}/endpoints",
      handle: (call) => ok(listOfBranch(neon, call)),
    },
    { method: "GET", path: ONE, handle: (call) => ok(one(neon, call)) },
    { method: "PATCH", path: ONE, handle: (call) => change(neon, call) },
    { method: "DELETE", path: ONE, handle: (call) => remove(neon, call) },
    {
      method: "POST",
      path: `${ONE}/start`,
      handle: (call) => operate(neon, call, (branch) => [start(neon, branch)]),
    },
    {
      method: "POST",
      path: `${ONE}/suspend`,
      handle: (call) =>
        operate(neon, call, (branch) => (isRunning(neon, branch) ? [suspend(neon, branch)] : [])),
    },
    {
      method: "POST",
      path: `${ONE}/restart`,
      handle: (call) => operate(neon, call, (branch) => [suspend(neon, branch), start(neon, branch)]),
    },
  ];
}

function list(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  return { endpoints: [...project.branches.values()].flatMap((branch) => views(neon, project, branch)) };
}

function listOfBranch(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  return { endpoints: views(neon, project, requireBranch(project, param(call, "branch_id"))) };
}

function views(neon: Neon, project: ProjectState, branch: BranchState) {
  return branch.endpoint === undefined ? [] : [endpointView(neon, project, branch, branch.endpoint)];
}

function found(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  return { project, ...requireEndpoint(project, param(call, "endpoint_id")) };
}

function one(neon: Neon, call: Call) {
  const { project, branch, endpoint } = found(neon, call);
  return { endpoint: endpointView(neon, project, branch, endpoint) };
}

function answer(
  neon: Neon,
  project: ProjectState,
  branch: BranchState,
  endpoint: EndpointState,
  operations: readonly OperationState[],
) {
  return {
    endpoint: endpointView(neon, project, branch, endpoint),
    operations: operations.map((operation) => operationView(project, operation)),
  };
}

function create(neon: Neon, call: Call): Answer {
  const project = requireProject(neon, param(call, "project_id"));
  const asked = checked(newOne, call.body).endpoint;
  const branch = requireBranch(project, asked.branch_id);
  assertServer(branch);
  if (asked.type === "read_only") throw new ApiError(422, "this sandbox has no read replicas");
  if (branch.endpoint !== undefined) throw new ApiError(409, "read_write endpoint already exists");
  project.operations.assertIdle();
  const endpoint = newEndpoint(branch.id);
  apply(endpoint, asked);
  branch.endpoint = endpoint;
  const operations = project.operations.schedule([start(neon, branch)], call.operationFault);
  return created(answer(neon, project, branch, endpoint, operations));
}

/** Starts, suspends or restarts a compute. */
function operate(neon: Neon, call: Call, steps: (branch: BranchState) => Step[]): Answer {
  const { project, branch, endpoint } = found(neon, call);
  if (endpoint.disabled) throw new ApiError(422, "endpoint is disabled");
  const operations = project.operations.schedule(steps(branch), call.operationFault);
  return ok(answer(neon, project, branch, endpoint, operations));
}

function change(neon: Neon, call: Call): Answer {
  const { project, branch, endpoint } = found(neon, call);
  const asked = checked(endpointChange, call.body).endpoint;
  project.operations.assertIdle();
  apply(endpoint, asked);
  const stops = endpoint.disabled && isRunning(neon, branch);
  const operations = project.operations.schedule(stops ? [suspend(neon, branch)] : [], call.operationFault);
  return ok(answer(neon, project, branch, endpoint, operations));
}

function apply(endpoint: EndpointState, asked: z.output<typeof endpointChange>["endpoint"]): void {
  endpoint.disabled = asked.disabled ?? endpoint.disabled;
  endpoint.suspendTimeoutSeconds = asked.suspend_timeout_seconds ?? endpoint.suspendTimeoutSeconds;
  endpoint.minComputeUnits = asked.autoscaling_limit_min_cu ?? endpoint.minComputeUnits;
  endpoint.maxComputeUnits = asked.autoscaling_limit_max_cu ?? endpoint.maxComputeUnits;
  endpoint.updatedAt = new Date();
}

function remove(neon: Neon, call: Call): Answer {
  const project = requireProject(neon, param(call, "project_id"));
  const known = [...project.branches.values()].some(
    ({ endpoint }) => endpoint?.id === param(call, "endpoint_id"),
  );
  if (!known) return NO_CONTENT;
  const { branch, endpoint } = found(neon, call);
  project.operations.assertIdle();
  const operations = project.operations.schedule([suspend(neon, branch)], call.operationFault);
  branch.endpoint = undefined;
  return ok(answer(neon, project, branch, endpoint, operations));
}
