import { createNeonApi } from "../../../provider/neon";
import type { NeonApi } from "../../../provider/contract/neonApi";
import { virtualClock } from "../clocks";
import { scriptedApi, type Reply, type ScriptedApi, type SeenRequest } from "./scriptedApi";

export const KEY = "secret-key-of-this-test";
export const PROJECT = "cool-darkness-123456";
export const BRANCH = "br-cool-sea-123456";
export const OPERATION = { id: "op-1", action: "apply_config", status: "running", failures_count: 0 };
export const FINISHED: Reply = { status: 200, body: { operation: { ...OPERATION, status: "finished" } } };

export function project(settings: object = {}): Reply {
  return {
    status: 200,
    body: {
      project: { id: PROJECT, name: "orders", pg_version: 17, settings, of_the_future: 1 },
      operations: [],
    },
  };
}

export function failure(status: number, headers?: Record<string, string>): Reply {
  return { status, headers, body: { code: "", message: "Neon's own words.", request_id: "req-7" } };
}

export interface ScriptedNeon {
  readonly neon: NeonApi;
  readonly server: ScriptedApi;
  readonly clock: ReturnType<typeof virtualClock>;
  /** The logged lines, oldest first. */
  readonly lines: readonly string[];
}

const servers: ScriptedApi[] = [];

/** The module's client of Neon's API, on a {@link scriptedApi} and a clock on which waiting takes no time. */
export async function scriptedNeon(
  answer: (request: SeenRequest, before: number) => Reply,
  { clock = virtualClock(), checkpoint }: { clock?: ScriptedNeon["clock"]; checkpoint?: () => void } = {},
): Promise<ScriptedNeon> {
  const server = await scriptedApi(answer);
  servers.push(server);
  const lines: string[] = [];
  const neon = createNeonApi({
    baseUrl: server.baseUrl,
    apiKey: `${KEY}\n`,
    clock,
    checkpoint,
    log: (line) => lines.push(line),
  });
  return { neon, server, clock, lines };
}

/** Closes all servers of {@link scriptedNeon}. For `afterEach`. */
export async function closeScripted(): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.close()));
}

/** The error that the work ends in. Fails if the work succeeds. */
export async function errorOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => {
      throw new Error("expected an error");
    },
    (error: unknown) => error as Error,
  );
}
