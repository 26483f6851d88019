import { readFileSync } from "node:fs";
import path from "node:path";
import * as z from "zod";
import type { Sandbox, SandboxInfo, SandboxOptions } from "../../sandbox";
import { allowListFacts, catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf } from "./cli";
import { Gate } from "./gate";
import { expectCareful, readRequestLog } from "./requestLog";
import { DEFAULT_VERSION, runSql } from "./postgres";
import { testSandbox } from "./sandbox";
import { trailArgs } from "./trailRole";
import { until } from "./until";

interface TrailStackOptions {
  readonly sandbox?: SandboxOptions;
  /** Name of the trail. Default: `trail`. */
  readonly name?: string;
  /** Arguments of the trail, besides the target and `dropSlotOnDestroy`. Default: none. */
  readonly args?: Readonly<Record<string, unknown>>;
  /** Statements that run as a superuser before anything else, each in a session of its own. */
  readonly prepare?: readonly string[];
  /** Outputs of the trail that the stack has too. */
  readonly exports?: readonly string[];
}

/**
 * The least that a user writes: a plain JavaScript program with one trail, without a `refresh` option, as a stack of the
 * real CLI, on a sandbox of its own. The provider reaches the sandbox through a gate.
 */
export class TrailStack {
  /** Name of the trail's database, as long as it has another one than at first. */
  #renamed: string | undefined;

  private constructor(
    private readonly sandbox: Sandbox,
    readonly gate: Gate,
    readonly cli: Cli,
    /** The facts of the catalog and of the IP Allow list before the first command. */
    readonly before: readonly Fact[],
    private readonly options: TrailStackOptions,
  ) {}

  static async open(options: TrailStackOptions = {}): Promise<TrailStack> {
    const sandbox = await testSandbox(options.sandbox);
    for (const statement of options.prepare ?? []) await runSql(sandbox.info.superuserUri, statement);
    const gate = await Gate.open(sandbox.info);
    const before = await factsOf(sandbox.info);
    const cli = await Cli.ofProgram(environmentOf(gate.info), "");
    const stack = new TrailStack(sandbox, gate, cli, before, options);
    await stack.declare();
    return stack;
  }

  get info(): SandboxInfo {
    const { info } = this.sandbox;
    if (this.#renamed === undefined) return info;
    const to = `/${this.#renamed}`;
    const [ownerUri, superuserUri] = [new URL(info.ownerUri), new URL(info.superuserUri)];
    ownerUri.pathname = superuserUri.pathname = to;
    return { ...info, database: this.#renamed, ownerUri: ownerUri.href, superuserUri: superuserUri.href };
  }

  /** Gives the database another name, which ends its connections. The program keeps the old one until {@link declare}. */
  async rename(name: string): Promise<void> {
    const { superuserUri, database } = this.info;
    const elsewhere = new URL(superuserUri);
    elsewhere.pathname = "/postgres";
    await runSql(
      elsewhere.href,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`,
    );
    await runSql(elsewhere.href, `ALTER DATABASE "${database}" RENAME TO "${name}"`);
    this.#renamed = name;
  }

  /** Writes the program again, with another name of the trail, with options of the resource, or with more arguments. */
  async declare(
    name = this.options.name ?? "trail",
    resourceOptions = "{}",
    more: TrailStackOptions["args"] = {},
  ): Promise<void> {
    const { projectId, database } = this.info;
    const args = trailArgs({ projectId, database, dropSlotOnDestroy: true, ...this.options.args, ...more });
    const outputs = this.options.exports ?? ["status"];
    await this.cli.program(
      `const { BemiAuditTrail } = require("pulumi-neon-bemi");
       const trail = new BemiAuditTrail("${name}", ${JSON.stringify(args)}, ${resourceOptions});
       ${outputs.map((output) => `exports.${output} = trail.${output};`).join("\n")}`,
    );
  }

  /** Sends a request to the sandbox's API, past the gate. */
  async api(method: string, route: string, body: object = {}): Promise<void> {
    await this.#send(method, this.info.apiUrl + route, body);
  }

  /** Makes a copy of the default branch, with a compute, and returns its id when it is up. */
  async branch(name: string): Promise<string> {
    const { apiUrl, apiKey, projectId } = this.info;
    const branches = `${apiUrl}/projects/${projectId}/branches`;
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
    const body = JSON.stringify({ branch: { name }, endpoints: [{ type: "read_write" }] });
    const made = await fetch(branches, { method: "POST", headers, body });
    const { id } = BRANCH.parse(await made.json()).branch;
    await until(async () => {
      const answer = await fetch(`${branches}/${id}`, { headers });
      return BRANCH.parse(await answer.json()).branch.current_state === "ready";
    });
    return id;
  }

  /** Waits until no operation of the project runs: Neon refuses others meanwhile, and some drop connections. */
  async settled(): Promise<void> {
    const { apiUrl, apiKey, projectId } = this.info;
    await until(async () => {
      const headers = { authorization: `Bearer ${apiKey}` };
      const answer = await fetch(`${apiUrl}/projects/${projectId}/operations`, { headers });
      const { operations } = OPERATIONS.parse(await answer.json());
      return operations.every(({ status }) => !["scheduling", "running", "cancelling"].includes(status));
    });
  }

  /** Does something to the sandbox itself that Neon's API cannot do, e.g. `logical-replication-off`. */
  async control(name: string): Promise<void> {
    await this.#send("POST", new URL(`/_sandbox/${name}`, this.info.apiUrl).href, {});
  }

  /** The facts of the catalog and of the IP Allow list now. */
  facts(): Promise<Fact[]> {
    return factsOf(this.info);
  }

  /** The same of another branch, with the same database. */
  factsOnBranch(branchId: string): Promise<Fact[]> {
    return factsOf({ ...this.info, superuserUri: this.sandbox.superuserUri(branchId) });
  }

  /** Runs a statement as a superuser, past the gate. */
  sql<Row extends object>(statement: string): Promise<Row[]> {
    return runSql<Row>(this.info.superuserUri, statement);
  }

  /**
   * Runs DDL as a superuser, for whom event triggers do not fire on Neon. The sandbox needs a setting for that which
   * PostgreSQL has from 17 on: before, it is done while the owner's triggers are disabled.
   */
  async unseen(ddl: string): Promise<void> {
    const triggers =
      DEFAULT_VERSION >= 17
        ? []
        : await this.sql<{ name: string; always: boolean }>(
            "SELECT evtname AS name, evtenabled = 'A' AS always FROM pg_event_trigger WHERE evtowner = 'neondb_owner'::regrole",
          );
    const off = triggers.map(({ name }) => `ALTER EVENT TRIGGER ${name} DISABLE`);
    const on = triggers.map(
      ({ name, always }) => `ALTER EVENT TRIGGER ${name} ENABLE${always ? " ALWAYS" : ""}`,
    );
    await this.sql([...off, ddl, ...on].join("; "));
  }

  /** Runs statements as the owner of the database, past the gate, in a session of their own. */
  async asOwner(statements: string): Promise<void> {
    const uri = new URL(this.info.ownerUri);
    uri.searchParams.set("sslmode", "verify-full");
    uri.searchParams.set("sslrootcert", this.info.sslRootCert);
    await runSql(uri.href, statements);
  }

  /** The file of the server's log. */
  get serverLog(): string {
    return path.join(path.dirname(this.info.requestLog), this.info.branchId, "server.log");
  }

  /** The statements of the provider that the server has logged, with `log_statement = all`. */
  loggedStatements(): string[] {
    return readFileSync(this.serverLog, "utf8")
      .split(/^(?=\d{4}-\d\d-\d\d )/m)
      .flatMap((entry) => {
        const [, user, statement] =
          /^\S+ \S+ \S+ \[\d+\] (\S+)@\S+ LOG: {2}(?:statement|execute \S+): ([^]*)/.exec(entry) ?? [];
        return user === undefined || user === "cloud_admin" ? [] : [statement ?? ""];
      });
  }

  /**
   * Expects catalog and IP Allow list to be as before the first command, and no resource in the stack. Pulumi keeps a
   * note of each creation that a kill cut off, until the next refresh; that is no resource.
   */
  async expectRestored(): Promise<void> {
    expect(compareFacts(this.before, await this.facts())).toEqual([]);
    const { deployment } = JSON.parse(await this.cli.state()) as { deployment: { resources?: unknown[] } };
    expect(deployment.resources ?? []).toEqual([]);
  }

  async #send(method: string, url: string, body: object): Promise<void> {
    const headers = { authorization: `Bearer ${this.info.apiKey}`, "content-type": "application/json" };
    const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
    expect([answer.status, answer.ok ? "" : await answer.text()]).toEqual([answer.status, ""]);
  }

  /** Ends everything. Expects every request of the provider to have been harmless. */
  async close(): Promise<void> {
    try {
      expectCareful(readRequestLog(this.info.requestLog));
    } finally {
      await this.cli.remove();
      await this.gate.close();
      await this.sandbox.stop();
    }
  }
}

async function factsOf({ superuserUri, apiUrl, apiKey, projectId }: SandboxInfo): Promise<Fact[]> {
  const headers = { authorization: `Bearer ${apiKey}` };
  const answer = await fetch(`${apiUrl}/projects/${projectId}`, { headers });
  const { allowed_ips: list } = PROJECT.parse(await answer.json()).project.settings;
  return [
    ...(await withClient({ connectionString: superuserUri }, catalogFacts)),
    ...allowListFacts({ ips: list.ips, protectedBranchesOnly: list.protected_branches_only }),
  ];
}

/** What is read of a branch. */
const BRANCH = z.object({ branch: z.object({ id: z.string(), current_state: z.string() }) });

/** What is read of the operations of a project. */
const OPERATIONS = z.object({ operations: z.array(z.object({ status: z.string() })) });

/** What is read of a project. */
const PROJECT = z.object({
  project: z.object({
    settings: z.object({
      allowed_ips: z.object({ ips: z.array(z.string()), protected_branches_only: z.boolean() }),
    }),
  }),
});
