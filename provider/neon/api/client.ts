import type * as z from "zod";
import { UserError } from "../../contract/errors";
import { secret } from "../../contract/secrets";
import type { NeonApi, NeonProject } from "../../contract/neonApi";
import { systemClock, type Clock } from "../../contract/clock";
import { backoff } from "./backoff";
import { assertAbout, assertLeadsTo, parse, parseProject, passwordIn, roleIn } from "./answers";
import { branchesOf } from "./branches";
import { undefinedOn404 } from "./gone";
import { isOutcomeUnknown, NeonError } from "./errors";
import { isPending, waitForOperations } from "./operations";
import { pagesOf } from "./pages";
import type { NeonRequest } from "./requests";
import { Patience } from "./retry";
import * as schemas from "./schemas";
import { Transport } from "./transport";

/**
 * How often a mutation is sent in all while its outcome is unknown. Before each repetition its effect is looked for.
 */
const ATTEMPTS = 3;

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

  /** Reads the project, and makes sure that the answer is about this project: its id decides what is changed later. */
  const readProject = async (projectId: string): Promise<NeonProject> => {
    const request = { method: "GET", path: ["projects", projectId] } as const;
    return parseProject(request, await transport.send(request));
  };

  /** Sends a mutation once or, with `repeat`, as often as it had no effect. Returns the answer and its operations. */
  const change = async (
    request: NeonRequest,
    { repeat }: { readonly repeat: boolean },
  ): Promise<{ readonly answer: unknown; readonly operations: readonly schemas.Operation[] }> => {
    const answer = await (repeat ? transport.send(request) : transport.once(request));
    const { operations = [] } = parse(schemas.operations, request, answer || {});
    return { answer, operations };
  };

  const wait = (projectId: string, operations: readonly schemas.Operation[]): Promise<void> =>
    waitForOperations(projectId, operations, {
      clock,
      checkpoint,
      status,
      read: async (id) => {
        const path = ["projects", projectId, "operations", id] as const;
        const { operation } = await get(schemas.oneOperation, path);
        assertAbout(id, operation.id, path);
        return operation;
      },
    });

  /**
   * Waits for every pending operation of the project. The answer to a mutation lists its operations; when that answer
   * is lost, this is how to wait for them.
   */
  const waitForPending = async (projectId: string): Promise<void> => {
    checkpoint();
    await clock.sleep(LIST_LAG);
    const pending: schemas.Operation[] = [];
    const path = ["projects", projectId, "operations"] as const;
    const pages = pagesOf(`operations of project ${projectId}`, async (cursor) => {
      const { operations, pagination } = await get(schemas.operationPage, path, { limit: 100, cursor });
      return { items: operations, next: pagination?.cursor };
    });
    for await (const operations of pages) {
      pending.push(...operations.filter(isPending));
      // The newest operations come first. If the oldest of a page has ended, so have all on later pages.
      const oldest = operations.at(-1);
      if (oldest === undefined || !isPending(oldest)) break;
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
      let changed: Awaited<ReturnType<typeof change>>;
      try {
        changed = await change(request, { repeat: true });
      } catch (error) {
        // A 409 on a repetition can mean that the first attempt succeeded.
        const conflict = attempt > 1 && error instanceof NeonError && error.status === 409;
        if (!conflict && !isOutcomeUnknown(error)) throw error;
        await transport.pause(backoff(attempt), error);
        if (await happened()) {
          await waitForPending(request.path[1]);
          return undefined;
        }
        if (attempt === ATTEMPTS) throw error;
        continue;
      }
      await wait(request.path[1], changed.operations);
      return changed.answer ?? {};
    }
  };

  /** Reads the project with a single attempt; `undefined` if that fails. The caller can do without the answer. */
  const glance = async (projectId: string): Promise<NeonProject | undefined> => {
    const request = { method: "GET", path: ["projects", projectId] } as const;
    try {
      return parseProject(request, await transport.once(request));
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
  };

  const api: NeonApi = {
    ...branchesOf({ get, mutate }),

    project: (projectId) => {
      const reading = readProject(projectId);
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
        let operations: readonly schemas.Operation[];
        try {
          ({ operations } = await change(request, { repeat: false }));
        } catch (error) {
          const unknown = isOutcomeUnknown(error);
          if (unknown) report(await seen, project);
          const pause = unknown && ++lost < ATTEMPTS ? backoff(lost) : patience.next(error, begun);
          if (pause === undefined) throw error;
          await transport.pause(pause, error);
          project = await api.project(projectId);
          continue;
        }
        report(await seen, project);
        await wait(projectId, operations);
        return;
      }
    },

    endpoints: async (projectId, branchId) =>
      (await get(schemas.endpoints, ["projects", projectId, "branches", branchId, "endpoints"])).endpoints,

    restartEndpoint: async (projectId, endpointId) => {
      const path = ["projects", projectId, "endpoints", endpointId, "restart"] as const;
      // Neon's API does not show whether a restart took place. The caller sees in the database whether to ask again.
      await mutate({ method: "POST", path }, () => Promise.resolve(true));
    },

    settled: waitForPending,

    databases: async (projectId, branchId) =>
      (await get(schemas.databases, ["projects", projectId, "branches", branchId, "databases"])).databases,

    role: async (projectId, branchId, name) => {
      const path = rolePath(projectId, branchId, name);
      const found = await undefinedOn404(get(schemas.oneRole, path));
      if (found !== undefined) assertAbout(name, found.name, path);
      return found;
    },

    createRole: async (projectId, branchId, name) => {
      const path = ["projects", projectId, "branches", branchId, "roles"] as const;
      const request = { method: "POST", path, body: { role: { name } } } as const;
      const answer = await mutate(
        request,
        async () => (await api.role(projectId, branchId, name)) !== undefined,
      );
      return roleIn(answer, name) ?? { password: await api.revealPassword(projectId, branchId, name) };
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
      return passwordIn(answer, name) ?? api.revealPassword(projectId, branchId, name);
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
        }).then(({ uri }) => {
          assertLeadsTo(secret(uri), { database, role }, path);
          return uri;
        });
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
