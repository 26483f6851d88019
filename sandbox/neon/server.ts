import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { addControlRoutes } from "./control";
import { ApiError, locked } from "./errors";
import { removeExpired } from "./expiry";
import type { Fault, Faults, OperationFault } from "./faults";
import { authenticate, authorize } from "./keys";
import type { RequestLog } from "./log";
import type { Answer, Route } from "./routes/route";
import { changeSettings } from "./settings";
import type { Neon } from "./state";

export const API_PREFIX = "/api/v2";

interface ServerParts {
  readonly neon: Neon;
  readonly routes: readonly Route[];
  readonly faults: Faults;
  readonly log: RequestLog;
}

type Outcome = Answer & { readonly headers?: Readonly<Record<string, string>> };

/** Thrown when a fault cuts the connection. */
class Cut extends Error {
  override readonly name = "Cut";
}

/** The HTTP server: it checks keys, applies faults, answers errors and writes the request log around every route. */
export function buildServer(parts: ServerParts): FastifyInstance {
  const app = fastify({
    requestIdHeader: "x-request-id",
    genReqId: () => randomUUID(),
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 500 },
  });
  app.removeAllContentTypeParsers();
  // Clients send this content type without a body too, e.g. with reset_password.
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_, body, done) => {
    try {
      done(null, body === "" ? undefined : JSON.parse(body.toString()));
    } catch {
      done(new ApiError(400, "the request body is not JSON"));
    }
  });
  for (const route of parts.routes)
    app.route({
      method: route.method,
      url: API_PREFIX + route.path.replace(/\{(\w+)\}/g, ":$1"),
      handler: (request, reply) => serve(parts, route, request, reply),
    });
  addControlRoutes(app, parts, (request, reply, error) => {
    const { status, body } = failure(request, error);
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    const { method, url } = request;
    return send(
      parts,
      request,
      reply,
      failure(request, new ApiError(404, `no such route: ${method} ${url}`)),
    );
  });
  app.setErrorHandler((error, request, reply) => send(parts, request, reply, failure(request, error)));
  return app;
}

async function serve(
  parts: ServerParts,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { neon, faults } = parts;
  const params = request.params as Readonly<Record<string, string>>;
  const projectId = params["project_id"];
  const hits: Fault[] = [];
  let outcome: Outcome | undefined;
  try {
    const key = authenticate(neon.keys, request.headers.authorization);
    authorize(key, route.method, route.path, { asked: projectId, ofKey: neon.projectOfKey });
    hits.push(...faults.hit(route.method, route.path));
    await applyFaults(neon, hits, "before", projectId);
    const operationFault = operationFaultOf(hits, faults.released);
    await removeExpired(neon);
    outcome = await route.handle({ params, query: request.query, body: request.body, key, operationFault });
    await applyFaults(neon, hits, "after", projectId);
  } catch (error) {
    if (error instanceof Cut) {
      record(parts.log, request, reply, outcome, hits);
      reply.hijack();
      request.raw.socket.destroy();
      return reply;
    }
    outcome = failure(request, error);
  }
  return send(parts, request, reply, outcome, hits);
}

/**
 * Applies the faults of a request that take effect before, or after, its handling.
 *
 * @throws ApiError or Cut if a fault replaces the answer
 */
async function applyFaults(
  neon: Neon,
  hits: readonly Fault[],
  when: "before" | "after",
  projectId: string | undefined,
): Promise<void> {
  for (const fault of hits) {
    switch (fault.kind) {
      case "delay":
        if (when === "before") await sleep(fault.ms);
        break;
      case "rateLimit":
        if (when === "before")
          throw injected(429, { retryAfter: { seconds: Math.ceil(fault.perSeconds), as: "seconds" } });
        break;
      case "answer":
        if (fault.when === when) throw injected(fault.status, fault);
        break;
      case "cut":
        if (fault.when === when) throw new Cut();
        break;
      case "otherWriter":
        if (fault.when === when) writeAsOther(neon, projectId, fault.allowedIps);
        break;
      case "operation":
    }
  }
}

function operationFaultOf(hits: readonly Fault[], released: Promise<void>): OperationFault | undefined {
  const fault = hits.find((hit) => hit.kind === "operation");
  return fault && { ...fault, released };
}

const MESSAGES: Readonly<Record<number, string>> = {
  423: locked().message,
  429: "too many requests",
  500: "internal server error",
  503: "service unavailable",
};

function injected(
  status: number,
  fault: Partial<Omit<Extract<Fault, { kind: "answer" }>, "kind" | "status" | "when">>,
): ApiError {
  const message = fault.message ?? MESSAGES[status] ?? `the sandbox was told to answer ${status}`;
  const headers: Record<string, string> = {};
  if (fault.retryAfter !== undefined) headers["retry-after"] = retryAfter(fault.retryAfter);
  return new ApiError(status, message, fault.code, headers);
}

function retryAfter({ seconds, as }: { seconds: number; as: "seconds" | "date" }): string {
  return as === "seconds" ? String(seconds) : new Date(Date.now() + seconds * 1000).toUTCString();
}

/** Changes IP Allow as another client of the API would. */
function writeAsOther(
  neon: Neon,
  projectId: string | undefined,
  allowedIps: { ips: string[]; protected_branches_only: boolean },
): void {
  const project = neon.projects.get(projectId ?? "");
  if (project === undefined) return;
  project.settings = changeSettings(project.settings, { allowed_ips: allowedIps });
  project.updatedAt = new Date();
}

function failure(request: FastifyRequest, error: unknown): Outcome {
  const known = error instanceof ApiError ? error : new ApiError(statusOf(error), messageOf(error));
  return {
    status: known.status,
    body: { request_id: request.id, code: known.code, message: known.message },
    headers: known.headers,
  };
}

/** Errors with which Fastify refuses a request, e.g. for a body of another type, have a status. */
function statusOf(error: unknown): number {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : 500;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function send(
  parts: ServerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  outcome: Outcome,
  hits: readonly Fault[] = [],
): FastifyReply {
  record(parts.log, request, reply, outcome, hits);
  return reply
    .code(outcome.status)
    .headers({ "x-request-id": request.id, ...outcome.headers })
    .send(outcome.body);
}

function record(
  log: RequestLog,
  request: FastifyRequest,
  reply: FastifyReply,
  outcome: Outcome | undefined,
  hits: readonly Fault[],
): void {
  const [path = ""] = request.url.split("?");
  log.append({
    time: new Date().toISOString(),
    method: request.method,
    path: path.startsWith(API_PREFIX) ? path.slice(API_PREFIX.length) : path,
    query: request.query as Readonly<Record<string, string>>,
    status: outcome?.status ?? null,
    requestBody: request.body ?? null,
    responseBody: outcome?.body ?? null,
    durationMs: Math.round(reply.elapsedTime),
    requestId: request.id,
    userAgent: request.headers["user-agent"] ?? null,
    ...(hits.length === 0 ? {} : { faults: hits.map(({ kind }) => kind) }),
  });
}
