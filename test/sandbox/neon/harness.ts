import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { PostgresVersion, Profile } from "../../../sandbox/compute";
import { startEmulator, type Emulator, type LoggedExchange } from "../../../sandbox/neon";
import type {
  Branch,
  ConnectionDetails,
  Database,
  Endpoint,
  Operation,
  Organization,
  Project,
  ProjectListItem,
  Role,
} from "../../../sandbox/neon/wire";
import { createCompute, type PostgresCompute } from "../../../sandbox/postgres";
import { noServers } from "../../support/noServers";
import { DEFAULT_VERSION } from "../../support/postgres";
import { readRequestLog } from "../../support/requestLog";

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** All fields that an answer can have. Which of them it has depends on its route; tests check that. */
export interface Body {
  readonly project: Project;
  readonly projects: readonly ProjectListItem[];
  readonly branch: Branch;
  readonly branches: readonly Branch[];
  readonly annotation: object;
  readonly annotations: Readonly<Record<string, object>>;
  readonly endpoint: Endpoint;
  readonly endpoints: readonly Endpoint[];
  readonly role: Role;
  readonly roles: readonly Role[];
  readonly database: Database;
  readonly databases: readonly Database[];
  readonly operation: Operation;
  readonly operations: readonly Operation[];
  readonly connection_uris?: readonly ConnectionDetails[];
  readonly organizations: readonly Organization[];
  readonly pagination?: { readonly cursor?: string; readonly next?: string };
  readonly uri: string;
  readonly password: string;
  readonly request_id: string;
  readonly code: string;
  readonly message: string;
}

/** A running emulator with its servers, and short ways to use it. */
export interface Bench {
  readonly compute: PostgresCompute;
  readonly emulator: Emulator;
  /** Path of the first project, e.g. for `${project}/branches`. */
  readonly project: string;
  /** Path of its default branch. */
  readonly branch: string;
  /** Sends one request. Default of `key`: the main key; `null` sends none. */
  readonly api: (method: string, path: string, body?: unknown, key?: string | null) => Promise<Reply>;
  /** Sends one request and waits for its operations. Fails if the request or an operation fails. */
  readonly done: (method: string, path: string, body?: unknown) => Promise<Reply>;
  /** The request log, oldest first. */
  readonly log: () => LoggedExchange[];
  /** The requests that the work made, each as `GET /projects`. */
  readonly callsOf: (work: () => Promise<unknown>) => Promise<string[]>;
  readonly close: () => Promise<void>;
}

export async function startBench(
  options: {
    /** Default: "neon". */
    readonly profile?: Profile;
    readonly faults?: string;
    readonly pace?: number;
    /** Default: 17, or the first one of `TEST_POSTGRES`. */
    readonly pgVersion?: PostgresVersion;
    /** `false`: without servers, for tests of settings and lists only. Default: `true`. */
    readonly servers?: boolean;
  } = {},
): Promise<Bench> {
  const { pgVersion = DEFAULT_VERSION, profile = "neon", servers = true, ...others } = options;
  // The servers need the emulator to decide about addresses, and the emulator needs the servers to start.
  const late: { emulator?: Emulator } = {};
  const compute = servers
    ? await createCompute({
        pgVersion,
        profile,
        admits: (branchId, address) => late.emulator?.admits(branchId, address) ?? true,
        refusal: (branchId) => late.emulator?.refusal(branchId),
        refuseLogin: (_, role) => late.emulator?.refuseLogin(role),
        roleFault: (branchId) => late.emulator?.roleFault(branchId),
        progress: (line) => process.stderr.write(`${line}\n`),
      })
    : noServers();
  const requestLog = join(compute.folder, "requests.jsonl");
  try {
    late.emulator = await startEmulator({ compute, requestLog, ...others });
  } catch (error) {
    await compute.close();
    throw error;
  }
  const { emulator } = late;

  async function api(
    method: string,
    path: string,
    body?: unknown,
    key: string | null = emulator.apiKey,
  ): Promise<Reply> {
    const response = await fetch(`${emulator.apiUrl}${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: JSON.parse(text || "{}") as Body,
    };
  }

  /** The operations of an answer. Deleting a project, or an object that is gone, has none. */
  function operationsOf({ body }: Reply): readonly Operation[] {
    return "operations" in body ? body.operations : [];
  }

  async function done(method: string, path: string, body?: unknown): Promise<Reply> {
    const reply = await api(method, path, body);
    if (reply.status >= 300)
      throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    for (const { id, project_id } of method === "GET" ? [] : operationsOf(reply)) {
      let operation: Operation;
      do {
        await sleep(20);
        operation = (await api("GET", `/projects/${project_id}/operations/${id}`)).body.operation;
      } while (operation.status === "running" || operation.status === "scheduling");
      expect({ action: operation.action, error: operation.error, status: operation.status }).toEqual({
        action: operation.action,
        status: "finished",
      });
    }
    return reply;
  }

  return {
    compute,
    emulator,
    project: `/projects/${emulator.projectId}`,
    branch: `/projects/${emulator.projectId}/branches/${emulator.branchId}`,
    api,
    done,
    log: () => readRequestLog(requestLog),
    callsOf: async (work) => {
      const before = readRequestLog(requestLog).length;
      await work();
      return readRequestLog(requestLog)
        .slice(before)
        .map(({ method, path }) => `${method} ${path}`);
    },
    close: async () => {
      await emulator.close();
      await compute.close();
    },
  };
}

/** Opens a connection through the front door, as a client with the sandbox's CA does. */
export async function connect(bench: Bench, uri: string, database?: string): Promise<Client> {
  const url = new URL(uri);
  const client = new Client({
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: database ?? decodeURIComponent(url.pathname.slice(1)),
    ssl: { ca: readFileSync(bench.compute.sslRootCert) },
  });
  // A restart ends the connection. The running query fails, and tests check that.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Runs a statement on a new connection through the front door. */
export async function query<Row extends object>(
  bench: Bench,
  uri: string,
  statement: string,
): Promise<Row[]> {
  const client = await connect(bench, uri);
  try {
    return (await client.query<Row>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** The setting `allowed_ips` of the first project. */
export async function allowedIps({ api, project }: Bench) {
  return (await api("GET", project)).body.project.settings?.allowed_ips;
}

/** The `wal_level` that the server of a branch reports. Default: the first project's default branch. */
export async function walLevel(
  { compute, emulator }: Bench,
  branchId = emulator.branchId,
): Promise<string | undefined> {
  const [row] = await compute.sql<{ wal_level: string }>(branchId, "SHOW wal_level");
  return row?.wal_level;
}

/** Sends a request that controls the sandbox itself, outside Neon's API. */
export async function control(
  { emulator }: Bench,
  path: "faults" | "branches",
  body: object,
  key = emulator.apiKey,
): Promise<{ readonly status: number; readonly body: Body }> {
  const response = await fetch(new URL(`/_sandbox/${path}`, emulator.apiUrl), {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: JSON.parse((await response.text()) || "{}") as Body };
}
