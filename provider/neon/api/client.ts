import type { z } from "zod";
import { UserError } from "../../contract/errors";
import { secret } from "../../contract/secrets";
import type { NeonApi, NeonProject } from "../../contract/neonApi";
import { systemClock, type Clock } from "../../contract/clock";
import { backoff } from "./backoff";
import { NeonError } from "./errors";
import { isPending, waitForOperations } from "./operations";
import type { NeonRequest } from "./requests";
import { Patience } from "./retry";
import * as schemas from "./schemas";
import { Transport } from "./transport";

/**
 * How often a mutation is sent in all while its outcome is unknown. Before each repetition its effect is looked for.
 */
const ATTEMPTS = 3;

/** The largest page that Neon returns, so that one page nearly always holds everything. */
const PAGE = 1_000;

/**
 * How long Neon's list of operations lags behind the request that started them, in milliseconds. An empty list right
 * after a mutation proves nothing (seen in production in 2026-08).
 */
const LIST_LAG = 2_000;

interface NeonApiOptions {
  /** E.g. `https://console.neon.tech/api/v2`. Must be https; http is accepted for this machine only. */
  readonly baseUrl: string;
  /** Secret. */
  readonly apiKey: string;
  /** Prints one line in the terminal about a long wait. */
  readonly log: (message: string) => void;
  /** Shows progress, until the next line of progress. Default: it is not shown. */
  readonly status?: (message: string) => void;
  /** Called before every mutation and every wait. Throws when the engine is gone. Default: never throws. */
  readonly checkpoint?: () => void;
  /** Default: the clock of this machine. */
  readonly clock?: Clock;
}

/**
 * Neon's API, with one policy for repeated requests, rate limits, waiting and errors. `requests.ts` lists all requests
 * that it can send.
 *
 * @throws UserError when `baseUrl` would send the API key without encryption
 */
export function createNeonApi(options: NeonApiOptions): NeonApi {
  const { clock = systemClock, status = () => undefined, checkpoint = () => undefined } = options;
  const transport = new Transport({ ...options, clock, checkpoint });
  const known = new Map<string, Promise<NeonProject>>();
  const uris = new Map<string, Promise<string>>();

  const get = async <Schema extends z.ZodType>(
    schema: Schema,
    path: Extract<NeonRequest, { method: "GET" }>["path"],
    query?: Extract<NeonRequest, { method: "GET" }>["query"],
  ): Promise<z.output<Schema>> => {
    const request = { method: "GET", path, query } as const;
    return parse(schema, request, await transport.send(request));
  };

  /** Waits for the operations that the answer to a mutation lists. */
  const finish = async (request: NeonRequest, answer: unknown): Promise<void> => {
    const [, projectId] = request.path;
    const { operations = [] } = parse(schemas.operations, request, answer || {});
    await wait(projectId, operations);
  };

  const wait = (projectId: string, operations: readonly schemas.Operation[]): Promise<void> =>
    waitForOperations(projectId, operations, {
      clock,
      checkpoint,
      status,
      read: async (id) =>
        (await get(schemas.oneOperation, ["projects", projectId, "operations", id])).operation,
    });

  /**
   * Waits for every pending operation of the project. The answer to a mutation lists its operations; when that answer
   * is lost, this is how to wait for them.
   */
  const waitForPending = async (projectId: string): Promise<void> => {
    checkpoint();
    await clock.sleep(LIST_LAG);
    const pending: schemas.Operation[] = [];
    for (let cursor: string | undefined; ;) {
      const path = ["projects", projectId, "operations"] as const;
      const page = await get(schemas.operationPage, path, { limit: 100, cursor });
      pending.push(...page.operations.filter(isPending));
      const next = page.pagination?.cursor;
      // The newest operations come first. If the oldest of a page has ended, so have all on later pages.
      const oldest = page.operations.at(-1);
      if (!next || next === cursor || oldest === undefined || !isPending(oldest)) break;
      cursor = next;
    }
    await wait(projectId, pending);
  };

  /**
   * Sends a mutation and waits for its operations. While the outcome is unknown, `happened` looks for the effect before
   * the mutation is sent again. Returns the answer, or `undefined` if the effect was found but the answer was lost.
   */
  const mutate = async (request: NeonRequest, happened: () => Promise<boolean>): Promise<unknown> => {
    for (let attempt = 1; ; attempt++) {
      checkpoint();
      let answer: unknown;
      try {
        answer = await transport.send(request);
      } catch (error) {
        if (!(error instanceof NeonError)) throw error;
        // A 409 on a repetition can mean that the first attempt succeeded.
        const unknown = error.outcomeUnknown || (attempt > 1 && error.status === 409);
        if (!unknown) throw error;
        await transport.pause(backoff(attempt), error);
        if (await happened()) {
          await waitForPending(request.path[1]);
          return undefined;
        }
        if (attempt === ATTEMPTS) throw error;
        continue;
      }
      await finish(request, answer);
      return answer ?? {};
    }
  };

  /** Reads the project with a single attempt; `undefined` if that fails. The caller can do without the answer. */
  const glance = async (projectId: string): Promise<NeonProject | undefined> => {
    const request = { method: "GET", path: ["projects", projectId] } as const;
    try {
      return parse(schemas.project, request, await transport.once(request));
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
  };

  const api: NeonApi = {
    project: (projectId) => {
      const reading = get(schemas.project, ["projects", projectId]);
      known.set(projectId, reading);
      reading.catch(() => known.delete(projectId));
      return reading;
    },

    knownProject: (projectId) => known.get(projectId) ?? api.project(projectId),

    updateSettings: async (projectId, plan, current, beside) => {
      const patience = new Patience(clock);
      const report = (seen: NeonProject | undefined, planned: NeonProject): void => {
        if (seen !== undefined) beside?.(seen, planned);
      };
      let project = current ?? (await api.project(projectId));
      for (let lost = 0; ;) {
        const settings = plan(project);
        if (settings === undefined) {
          if (lost > 0) await waitForPending(projectId);
          return;
        }
        const request = {
          method: "PATCH",
          path: ["projects", projectId],
          body: { project: { settings } },
        } as const;
        checkpoint();
        known.delete(projectId);
        const begun = clock.now();
        // Sent together with the PATCH: a read before it would leave the time of a whole round trip unseen.
        const seen = beside && glance(projectId);
        let answer: unknown;
        try {
          answer = await transport.once(request);
        } catch (error) {
          const unknown = error instanceof NeonError && error.outcomeUnknown;
          if (unknown) report(await seen, project);
          const pause = unknown && ++lost < ATTEMPTS ? backoff(lost) : patience.next(error, begun);
          if (pause === undefined) throw error;
          await transport.pause(pause, error);
          project = await api.project(projectId);
          continue;
        }
        report(await seen, project);
        await finish(request, answer);
        return;
      }
    },

    branches: async (projectId, search) => {
      const found = [];
      for (let cursor: string | undefined; ;) {
        const path = ["projects", projectId, "branches"] as const;
        const page = await get(schemas.branchPage, path, { search, limit: PAGE, cursor });
        found.push(...page.branches);
        const next = page.pagination?.next;
        if (!next || next === cursor || page.branches.length === 0) return found;
        cursor = next;
      }
    },

    branch: async (projectId, branchId) =>
      (await undefinedOn404(get(schemas.oneBranch, ["projects", projectId, "branches", branchId])))?.branch,

    endpoints: async (projectId, branchId) =>
      (await get(schemas.endpoints, ["projects", projectId, "branches", branchId, "endpoints"])).endpoints,

    restartEndpoint: async (projectId, endpointId) => {
      const path = ["projects", projectId, "endpoints", endpointId, "restart"] as const;
      // Neon's API does not show whether a restart took place. The caller sees in the database whether to ask again.
      await mutate({ method: "POST", path }, () => Promise.resolve(true));
    },

    databases: async (projectId, branchId) =>
      (await get(schemas.databases, ["projects", projectId, "branches", branchId, "databases"])).databases,

    role: (projectId, branchId, name) =>
      undefinedOn404(get(schemas.oneRole, rolePath(projectId, branchId, name))),

    createRole: async (projectId, branchId, name) => {
      const path = ["projects", projectId, "branches", branchId, "roles"] as const;
      const request = { method: "POST", path, body: { role: { name } } } as const;
      const answer = await mutate(
        request,
        async () => (await api.role(projectId, branchId, name)) !== undefined,
      );
      if (answer === undefined) return api.revealPassword(projectId, branchId, name);
      return secret(parse(schemas.roleWithPassword, request, answer).role.password);
    },

    deleteRole: async (projectId, branchId, name) => {
      const request = { method: "DELETE", path: rolePath(projectId, branchId, name) } as const;
      await undefinedOn404(
        mutate(request, async () => (await api.role(projectId, branchId, name)) === undefined),
      );
    },

    revealPassword: async (projectId, branchId, name) => {
      const path = [...rolePath(projectId, branchId, name), "reveal_password"] as const;
      return secret((await get(schemas.password, path)).password);
    },

    resetPassword: async (projectId, branchId, name, previous) => {
      const path = [...rolePath(projectId, branchId, name), "reset_password"] as const;
      const request = { method: "POST", path } as const;
      uris.clear();
      const answer = await mutate(
        request,
        async () => (await api.revealPassword(projectId, branchId, name)) !== previous,
      );
      if (answer === undefined) return api.revealPassword(projectId, branchId, name);
      return secret(parse(schemas.roleWithPassword, request, answer).role.password);
    },

    connectionUri: ({ projectId, branchId, endpointId, database, role }) => {
      const key = JSON.stringify([projectId, branchId, endpointId, database, role]);
      const path = ["projects", projectId, "connection_uri"] as const;
      const reading =
        uris.get(key) ??
        get(schemas.connectionUri, path, {
          branch_id: branchId,
          endpoint_id: endpointId,
          database_name: database,
          role_name: role,
          pooled: false,
        }).then(({ uri }) => secret(uri));
      uris.set(key, reading);
      reading.catch(() => uris.delete(key));
      return reading;
    },
  };
  return api;
}

function rolePath(projectId: string, branchId: string, name: string) {
  return ["projects", projectId, "branches", branchId, "roles", name] as const;
}

/** The result of the work; `undefined` if it ends in a 404. */
async function undefinedOn404<Value>(work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof NeonError && error.status === 404) return undefined;
    throw error;
  }
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  { method, path }: NeonRequest,
  answer: unknown,
): z.output<Schema> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const fields = [...new Set(result.error.issues.map((issue) => issue.path.join(".") || "the whole answer"))];
  throw new UserError(
    `Neon's answer to ${method} /${path.join("/")} differs from its API documentation (${fields.join(", ")}): check NEON_API_URL, or update pulumi-neon-bemi.`,
  );
}
