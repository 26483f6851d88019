import type { Neon } from "../state";
import { branchRoutes } from "./branches";
import { connectionUriRoutes } from "./connectionUri";
import { databaseRoutes } from "./databases";
import { endpointRoutes } from "./endpoints";
import { operationRoutes } from "./operations";
import { projectRoutes } from "./projects";
import { roleRoutes } from "./roles";
import type { Route } from "./route";
import { userRoutes } from "./users";

/** Every route of Neon's API that the sandbox answers. */
export function allRoutes(neon: Neon): Route[] {
  return [
    projectRoutes,
    branchRoutes,
    endpointRoutes,
    databaseRoutes,
    roleRoutes,
    connectionUriRoutes,
    operationRoutes,
    userRoutes,
  ].flatMap((routes) => routes(neon));
}
