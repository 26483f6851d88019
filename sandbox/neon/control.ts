import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import { addListedBranches } from "./create";
import { ApiError } from "./errors";
import { FaultScriptError, type Faults } from "./faults";
import { authenticate } from "./keys";
import { checked } from "./routes/route";
import { isRunning, requireProject, type Neon } from "./state";
import { followWalLevel } from "./steps";

const newBranches = z.strictObject({
  /** Default: the first project. */
  projectId: z.string().optional(),
  /** The names of the branches are this text and a number from 1 on. */
  prefix: z.string().min(1).max(200),
  count: z.int().min(1).max(10_000),
});

const replicationOff = z.strictObject({
  /** Default: the first project. */
  projectId: z.string().optional(),
});

/**
 * Adds the routes that control the sandbox itself. Neon's API does not have them, so they are outside the API's prefix.
 * They need the main key, and are not logged.
 *
 * @param failed answers an error in the same way as the API
 */
export function addControlRoutes(
  app: FastifyInstance,
  { neon, faults }: { readonly neon: Neon; readonly faults: Faults },
  failed: (request: FastifyRequest, reply: FastifyReply, error: unknown) => FastifyReply,
): void {
  const control = (path: string, work: (body: unknown) => object | undefined | Promise<undefined>): void => {
    app.post(`/_sandbox/${path}`, async (request, reply) => {
      try {
        if (authenticate(neon.keys, request.headers.authorization) !== "main")
          throw new ApiError(403, "only the main key may set the sandbox up");
        const answer = await work(request.body);
        return await reply.code(answer === undefined ? 204 : 201).send(answer);
      } catch (error) {
        return failed(
          request,
          reply,
          error instanceof FaultScriptError ? new ApiError(400, error.message) : error,
        );
      }
    });
  };

  control("faults", (body) => {
    faults.set(body);
    return undefined;
  });
  control("branches", (body) => {
    const { projectId = neon.projectOfKey ?? "", prefix, count } = checked(newBranches, body);
    const branches = addListedBranches(requireProject(neon, projectId), prefix, count);
    return { branches: branches.map(({ id, name }) => ({ id, name })) };
  });
  // Neon's API refuses this: it stands for what only Neon itself could do to a project.
  control("logical-replication-off", async (body) => {
    const { projectId = neon.projectOfKey ?? "" } = checked(replicationOff, body);
    const project = requireProject(neon, projectId);
    project.operations.assertIdle();
    project.settings = { ...project.settings, enable_logical_replication: false };
    for (const branch of project.branches.values())
      if (isRunning(neon, branch)) await followWalLevel(neon, project, branch);
    return undefined;
  });
}
