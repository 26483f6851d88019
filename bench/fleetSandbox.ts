import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Compute } from "../sandbox/compute";
import { startEmulator, type Emulator } from "../sandbox/neon";
import { createCompute, type PostgresCompute } from "../sandbox/postgres";

/** One of the many projects. */
export interface Tenant {
  readonly name: string;
  readonly projectId: string;
  readonly database: string;
}

/** An emulator of Neon's API with many projects, whose databases are all on one server. */
export interface FleetSandbox {
  readonly tenants: readonly Tenant[];
  /** The environment variables by which the provider reaches it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly requestLog: string;
  /** How many sessions the databases of the projects have had so far. */
  logins(): Promise<number>;
  stop(): Promise<void>;
}

/** Neon's documented rate limit: 700 requests a minute and 40 a second for each route. */
const LIMITS = [
  { requests: 700, perSeconds: 60 },
  { requests: 40, perSeconds: 1 },
].map((limit) => ({ method: "*", route: "*", fault: { kind: "rateLimit", ...limit } }));

/** How many projects are made at the same time. */
const AT_ONCE = 8;

/**
 * Starts the emulator with its rate limit, and makes the projects. Each has two tables in a database of its own, and an
 * owner of its own, because one server has room for only one role of a name.
 */
export async function startFleet(count: number, progress: (line: string) => void): Promise<FleetSandbox> {
  const server = await createCompute({
    pgVersion: 17,
    profile: "neon",
    walLevel: "logical",
    settings: { max_connections: "1000", fsync: "off", log_connections: "off", log_disconnections: "off" },
    admits: () => true,
    progress,
  });
  let emulator: Emulator | undefined;
  const stop = async (): Promise<void> => {
    await emulator?.close();
    await server.close();
  };
  try {
    const requestLog = path.join(server.folder, "requests.jsonl");
    emulator = await startEmulator({ compute: new SharedServer(server), requestLog });
    const { apiUrl, apiKey } = emulator;
    const tenants: Tenant[] = [];
    for (let first = 1; first <= count; first += AT_ONCE) {
      progress(`making projects: ${first - 1} of ${count}`);
      const numbers = Array.from({ length: Math.min(AT_ONCE, count - first + 1) }, (_, at) => first + at);
      tenants.push(
        ...(await Promise.all(numbers.map((number) => makeTenant(server, apiUrl, apiKey, number)))),
      );
    }
    emulator.setFaults({ faults: LIMITS });
    return {
      tenants,
      environment: { NEON_API_URL: apiUrl, NEON_API_KEY: apiKey, PGSSLROOTCERT: server.sslRootCert },
      requestLog,
      logins: async () => {
        const [row] = await server.sql<{ logins: string }>(
          SERVER,
          "SELECT sum(sessions) AS logins FROM pg_catalog.pg_stat_database WHERE datname LIKE 'tenant%'",
        );
        return Number(row?.logins);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeTenant(
  server: PostgresCompute,
  apiUrl: string,
  apiKey: string,
  number: number,
): Promise<Tenant> {
  const name = `tenant_${String(number).padStart(3, "0")}`;
  const owner = `${name}_owner`;
  const headers = { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json" };
  const answer = await fetch(`${apiUrl}/projects`, {
    method: "POST",
    headers,
    body: JSON.stringify({ project: { name, branch: { role_name: owner, database_name: name } } }),
  });
  if (answer.status !== 201) throw new Error(`POST /projects: ${answer.status} ${await answer.text()}`);
  const { project } = (await answer.json()) as { project: { id: string } };
  for (;;) {
    const listed = await fetch(`${apiUrl}/projects/${project.id}/operations`, { headers });
    const { operations } = (await listed.json()) as { operations: { status: string }[] };
    if (operations.length > 0 && operations.every(({ status }) => status === "finished")) break;
    await sleep(100);
  }
  await server.sql(
    SERVER,
    `SET ROLE ${owner};
     CREATE TABLE public.orders (id bigint PRIMARY KEY, note text);
     CREATE TABLE public.customers (id bigint PRIMARY KEY, name text)`,
    undefined,
    name,
  );
  return { name, projectId: project.id, database: name };
}

/** Id of the one server in the compute that all branches share. */
const SERVER = "fleet";

/** Gives every branch the same server, which never stops. */
class SharedServer implements Compute {
  readonly pgVersion: number;
  readonly sslRootCert: string;
  #made: Promise<void> | undefined;

  constructor(private readonly server: PostgresCompute) {
    this.pgVersion = server.pgVersion;
    this.sslRootCert = server.sslRootCert;
  }

  createBranch(): Promise<void> {
    this.#made ??= this.server.createBranch(SERVER);
    return this.#made;
  }

  deleteBranch(): Promise<void> {
    return Promise.resolve();
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  setWalLevel(): void {
    // It has the level "logical" from the start.
  }

  address(): { readonly host: string; readonly port: number } {
    return this.server.address(SERVER);
  }

  superuserUri(_: string, database: string): string {
    return this.server.superuserUri(SERVER, database);
  }

  isRunning(): boolean {
    return this.server.isRunning(SERVER);
  }

  sql<Row extends object>(
    _: string,
    statement: string,
    values?: readonly unknown[],
    database?: string,
  ): Promise<Row[]> {
    return this.server.sql<Row>(SERVER, statement, values, database);
  }

  dropConnections(): Promise<void> {
    return this.server.dropConnections(SERVER);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}
