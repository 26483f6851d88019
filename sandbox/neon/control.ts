import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import { addListedBranches } from "./create";
import { ApiError } from "./errors";
import { FaultScriptError, type Faults } from "./faults";
import { authenticate } from "./keys";
import { checked } from "./routes/route";
import { requireProject, type Neon } from "./state";

const newBranches = z.strictObject({
  /** Default: the first project. */
  projectId: z.string().optional(),
  /** The names of the branches are this text and a number from 1 on. */
  prefix: z.string().min(1).max(200),
  count: z.int().min(1).max(10_000),
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
  const control = (path: string, work: (body: unknown) => object | undefined): void => {
    app.post(`/_sandbox/${path}`, (request, reply) => {
      try {
        if (authenticate(neon.keys, request.headers.authorization) !== "main")
          throw new ApiError(403, "only the main key may set the sandbox up");
        const answer = work(request.body);
        return answer === undefined ? reply.code(204).send() : reply.code(201).send(answer);
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
}
