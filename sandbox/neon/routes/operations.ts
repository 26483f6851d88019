import * as z from "zod";
import { notFound } from "../errors";
import { requireProject, type Neon } from "../state";
import { operationView } from "../views";
import { checked, limit, ok, page, param, type Call, type Route } from "./route";

const listQuery = z.object({ cursor: z.string().optional(), limit: limit(1000, 1000) });

const ALL = "/projects/{project_id}/operations";

export function operationRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: ALL, handle: (call) => ok(list(neon, call)) },
    { method: "GET", path: `${ALL}/{operation_id}`, handle: (call) => ok(one(neon, call)) },
  ];
}

function list(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  const query = checked(listQuery, call.query);
  const { items, cursor } = page(project.operations.list(), query.limit, query.cursor);
  return {
    operations: items.map((operation) => operationView(project, operation)),
    ...(cursor === undefined ? {} : { pagination: { cursor } }),
  };
}

function one(neon: Neon, call: Call) {
  const project = requireProject(neon, param(call, "project_id"));
  const operation = project.operations.get(param(call, "operation_id"));
  if (operation === undefined) throw notFound("operation", param(call, "operation_id"));
  return { operation: operationView(project, operation) };
}
