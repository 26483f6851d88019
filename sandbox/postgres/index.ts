import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, Pool, type ClientConfig } from "pg";
import type { Compute, ComputeOptions } from "../compute";
import { binaries } from "./binaries";
import { makeCertificates } from "./certificates";
import { copyRunning } from "./copy";
import { Door } from "./door";
import { BEFORE_EVENT_TRIGGER, neonPatches } from "./neonPatches";
import { neonSuperuser } from "./roles";
import { makeFolder, Server, SUPERUSER, type Site, type WalLevel } from "./server";
import { openWorkspace, type Workspace } from "./workspace";

interface PostgresOptions extends ComputeOptions {
  /** More settings of every server, e.g. `{ log_statement: "all" }`. Default: none. */
  readonly settings?: Readonly<Record<string, string>>;
  /** `wal_level` with which new servers start. Default: "replica", as on Neon. */
  readonly walLevel?: WalLevel;
}

/** {@link Compute} with real servers on this machine. */
export interface PostgresCompute extends Compute {
  /** The temporary folder, which `close` removes. Other files of the sandbox can be put there too. */
  readonly folder: string;
  /** Path of the branch's server log. It has a line `connection authorized: user=...` for every login. */
  serverLog(branchId: string): string;
}

/**
 * Prepares PostgreSQL; branches are made afterwards. Processes and files are removed when this process ends, even if it
 * is killed.
 */
export async function createCompute(options: PostgresOptions): Promise<PostgresCompute> {
  const workspace = await openWorkspace();
  try {
    const [folder, certificates] = await Promise.all([
      binaries(options.pgVersion, workspace, options.progress),
      makeCertificates(),
    ]);
    const sslRootCert = join(workspace.folder, "ca.pem");
    await writeFile(sslRootCert, certificates.ca);
    const site: Site = {
      workspace,
      binaries: folder,
      certificates,
      superuserPassword: randomBytes(18).toString("hex"),
      settings: options.settings ?? {},
    };
    return new Branches(options, site, sslRootCert);
  } catch (error) {
    await workspace.remove();
    throw error;
  }
}

interface Branch {
  readonly server: Server;
  readonly door: Door;
  /**
   * The superuser's connections to the database `postgres`. They stay open for ten seconds without use, because a login
   * takes longer than most statements.
   */
  superuser?: Pool;
}

class Branches implements PostgresCompute {
  readonly pgVersion: number;
  readonly #branches = new Map<string, Branch>();
  readonly #workspace: Workspace;
  #closed: Promise<void> | undefined;

  constructor(
    private readonly options: PostgresOptions,
    private readonly site: Site,
    readonly sslRootCert: string,
  ) {
    this.pgVersion = options.pgVersion;
    this.#workspace = site.workspace;
  }

  get folder(): string {
    return this.#workspace.folder;
  }

  async createBranch(branchId: string, origin?: { readonly copyOf: string }): Promise<void> {
    if (this.#branches.has(branchId)) throw new Error(`Branch ${branchId} exists already.`);
    const from = origin && this.#server(origin.copyOf);
    const folder = join(this.folder, branchId);
    await makeFolder(folder, this.#workspace);
    const server = new Server(this.site, folder, from?.walLevel ?? this.options.walLevel ?? "replica");
    const door = await Door.open({
      certificates: this.site.certificates,
      admits: (address) => this.options.admits(branchId, address),
      refusal: () => this.options.refusal?.(branchId),
      refuseLogin: (role) => this.options.refuseLogin?.(branchId, role),
      statements: {
        roleFault: () => this.options.roleFault?.(branchId),
        beforeEventTrigger: this.options.profile === "neon" ? BEFORE_EVENT_TRIGGER : undefined,
      },
      wake: async () => {
        await server.start();
        return server.port;
      },
    });
    this.#branches.set(branchId, { server, door });
    try {
      if (from === undefined) {
        await server.initialise();
        await server.start();
        const { pgVersion, profile } = this.options;
        const rights = profile === "neon" ? [neonPatches(pgVersion)] : [];
        const statements = [neonSuperuser(pgVersion), ...rights].join(";\n");
        await this.sql(branchId, statements, undefined, "template1");
      } else {
        await from.start();
        await this.#connected(from, "postgres", (client) =>
          copyRunning(client, this.options.pgVersion, from.data, server.data, this.#workspace.user),
        );
        await server.start();
      }
    } catch (error) {
      await this.deleteBranch(branchId);
      throw error;
    }
  }

  async deleteBranch(branchId: string): Promise<void> {
    const branch = this.#branch(branchId);
    this.#branches.delete(branchId);
    await end(branch);
    await rm(branch.server.folder, { recursive: true, force: true });
  }

  async start(branchId: string): Promise<void> {
    await this.#server(branchId).start();
  }

  async stop(branchId: string): Promise<void> {
    await this.#server(branchId).stop();
  }

  setWalLevel(branchId: string, level: WalLevel): void {
    this.#server(branchId).walLevel = level;
  }

  address(branchId: string): { readonly host: string; readonly port: number } {
    const { port } = this.#branch(branchId).door;
    return { host: `localhost:${port}`, port };
  }

  superuserUri(branchId: string, database: string): string {
    const { port } = this.#server(branchId);
    return `postgresql://${SUPERUSER}:${this.site.superuserPassword}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  }

  isRunning(branchId: string): boolean {
    return this.#server(branchId).running;
  }

  serverLog(branchId: string): string {
    return this.#server(branchId).log;
  }

  async sql<Row extends object>(
    branchId: string,
    statement: string,
    values?: readonly unknown[],
    database = "postgres",
  ): Promise<Row[]> {
    const branch = this.#branch(branchId);
    await branch.server.start();
    const ask = async (client: Client | Pool): Promise<Row[]> =>
      (await client.query<Row>(statement, values && [...values])).rows;
    return database === "postgres"
      ? ask(this.#superuser(branch))
      : this.#connected(branch.server, database, ask);
  }

  async dropConnections(branchId: string): Promise<void> {
    if (!this.isRunning(branchId)) return;
    await this.sql(
      branchId,
      `SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity
       WHERE backend_type IN ('client backend', 'walsender') AND usename IS DISTINCT FROM $1`,
      [SUPERUSER],
    );
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    const branches = [...this.#branches.values()];
    await Promise.all(branches.map(end));
    await this.#workspace.remove();
  }

  #branch(branchId: string): Branch {
    const branch = this.#branches.get(branchId);
    if (branch === undefined) throw new Error(`There is no branch ${branchId}.`);
    return branch;
  }

  #server(branchId: string): Server {
    return this.#branch(branchId).server;
  }

  /** The port may be another one after a restart. */
  #superuser(branch: Branch): Pool {
    const { superuser, server } = branch;
    if (superuser?.options.port === server.port) return superuser;
    void superuser?.end();
    const pool = new Pool({ ...this.#login(server, "postgres"), allowExitOnIdle: true });
    // As below.
    pool.on("error", () => undefined);
    branch.superuser = pool;
    return pool;
  }

  #login({ port }: Server, database: string): ClientConfig {
    const password = this.site.superuserPassword;
    return { host: "127.0.0.1", port, user: SUPERUSER, password, database };
  }

  async #connected<Result>(
    server: Server,
    database: string,
    work: (client: Client) => Promise<Result>,
  ): Promise<Result> {
    const client = new Client(this.#login(server, database));
    // The server may cut an idle connection. That must not end this process; a running statement reports its own error.
    client.on("error", () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}

/** Ends whatever runs for a branch. */
async function end({ server, door, superuser }: Branch): Promise<void> {
  await door.close();
  await server.abandon();
  // Only now: a statement that waits for a lock would never let it end.
  await superuser?.end();
}
