import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sandbox } from "../../sandbox/sandbox";
import { allowListFacts, catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { startConsumer, type Consumer } from "../../tools/start/consumer";
import { Cli, environmentOf } from "../support/cli";
import { runSql } from "../support/postgres";
import { expectCareful, readRequestLog } from "../support/requestLog";
import { testSandbox } from "../support/sandbox";
import { trailArgs } from "../support/trailRole";

/** Every kind of resource, replaced on request. Each test begins in the state that the test before it left. */
let sandbox: Sandbox;
let cli: Cli;
let before: Fact[];
let healthy: Fact[];

/** How many rows the application has written. */
let written = 0;

/** What a trail hands to its consumer. */
interface Connection {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string;
}

beforeAll(async () => {
  sandbox = await testSandbox();
  await patchList(["198.51.100.0/24", "127.0.0.0/8"]);
  before = await facts();
  cli = await Cli.ofProgram(environmentOf(sandbox.info), program(sandbox.info.database));
  await cli.must(["up", "--yes", "--skip-preview"]);
  healthy = await facts();
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  await cli.remove();
  await sandbox.stop();
});

/** A trail with every kind, and a role of the API beside it. */
function program(database: string): string {
  const { projectId } = sandbox.info;
  const args = trailArgs({ projectId, database, allowedIps: ["203.0.113.7"], dropSlotOnDestroy: true });
  return `
    const { ApiRole, BemiAuditTrail } = require("pulumi-neon-bemi");
    const place = ${JSON.stringify({ projectId, database })};
    const trail = new BemiAuditTrail("orders", ${JSON.stringify(args)});
    const api = new ApiRole("api", { ...place, name: "bemi_api" }, { dependsOn: [trail] });
    exports.connection = trail.connection;
    exports.status = trail.status;
    exports.api = api.password;`;
}

function sql<Row extends object>(statement: string): Promise<Row[]> {
  return runSql<Row>(sandbox.info.superuserUri, statement);
}

async function neon<Answer>(method: string, body?: object): Promise<Answer> {
  const { apiUrl, apiKey, projectId } = sandbox.info;
  const answer = await fetch(`${apiUrl}/projects/${projectId}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Answer;
}

async function patchList(ips: readonly string[]): Promise<void> {
  const list = { ips, protected_branches_only: false };
  await neon("PATCH", { project: { settings: { allowed_ips: list } } });
}

/** The catalogs and the IP Allow list. */
async function facts(): Promise<Fact[]> {
  const catalog = await withClient({ connectionString: sandbox.info.superuserUri }, catalogFacts);
  const { project } = await neon<{ project: { settings: { allowed_ips: { ips: string[] } } } }>("GET");
  return [...catalog, ...allowListFacts({ ...project.settings.allowed_ips, protectedBranchesOnly: false })];
}

/** URNs of all resources of the provider, in the order in which they depend on each other. */
async function urns(): Promise<string[]> {
  const { deployment } = JSON.parse(await cli.state()) as {
    deployment: { resources: { urn: string; custom: boolean; type: string; delete?: boolean }[] };
  };
  expect(deployment.resources.filter((resource) => resource.delete === true)).toEqual([]);
  return deployment.resources
    .filter(({ custom, type }) => custom && type.startsWith("neon-bemi:"))
    .map(({ urn }) => urn);
}

/** Runs `work` while an application writes and a consumer streams. Expects the consumer to get every write. */
async function whileStreaming(work: () => Promise<unknown>): Promise<void> {
  const connection = (await cli.output("connection")) as Connection;
  const consumer: Consumer = await startConsumer({
    connection,
    publication: "bemi",
    slot: "bemi",
    sslRootCert: sandbox.info.sslRootCert,
  });
  let done = false;
  const from = written;
  const writing = withClient({ connectionString: sandbox.info.superuserUri }, async (client) => {
    while (!done) {
      await client.query(
        `INSERT INTO public.stock_imports (file, sku, quantity, imported_at) VALUES ('w', 'w', ${++written}, now())`,
      );
      await client.query(
        `UPDATE public.stock_imports SET file = 'x' WHERE quantity = ${written} AND sku = 'w'`,
      );
      await sleep(5);
    }
  });
  try {
    await work();
  } finally {
    done = true;
    await writing;
  }
  await sql(`SELECT pg_logical_emit_message(true, 'test', 'end ${written}')`);
  await consumer.reached(`end ${written}`, 20_000);
  await consumer.stop();
  const updates = consumer.changes.filter(({ operation }) => operation === "Update");
  const quantities = Array.from({ length: written - from }, (_, n) => String(from + n + 1));
  expect(updates.map(({ after }) => after?.["quantity"])).toEqual(quantities);
  expect(updates.every(({ before: row }) => row?.["file"] === "w")).toBe(true);
}

/** Everything is there and works: catalogs, list, both logins, and nothing is left to do. */
async function expectHealthy(): Promise<void> {
  const now = (await facts()).filter(({ kind }) => kind !== "replication slot");
  const then = healthy.filter(({ kind }) => kind !== "replication slot");
  expect(compareFacts(then, now)).toEqual([]);
  expect(await cli.output("status")).toMatchObject({ ready: true });
  const { host, port, database, username, password } = (await cli.output("connection")) as Connection;
  await login(host, port, database, username, password);
  await login(host, port, database, "bemi_api", (await cli.output("api")) as string);
}

async function login(host: string, port: number, database: string, user: string, secret: string) {
  const uri = `postgresql://${user}:${encodeURIComponent(secret)}@${host}:${port}/${database}`;
  const options = `?sslmode=verify-full&sslrootcert=${encodeURIComponent(sandbox.info.sslRootCert)}`;
  await runSql(uri + options, "SELECT 1");
}

test("up --replace of every resource at once keeps every object, and a consumer misses nothing", async () => {
  const all = await urns();
  expect(all).toHaveLength(9);
  let output = "";
  await whileStreaming(async () => {
    const replace = all.flatMap((urn) => ["--replace", urn]);
    expect(await cli.must(["preview", ...replace])).toMatch(/\+-9 to replace/);
    output = await cli.must(["up", "--yes", "--skip-preview", ...replace]);
  });
  expect(output).toMatch(/\+-9 replaced/);
  expect(output).toMatch(/The role keeps its password/);
  await expectHealthy();
});

test("resources with a taint are replaced by themselves a second time, the others are unchanged", async () => {
  for (const urn of (await urns()).filter((each) => /-(publication|identity)$/.test(each)))
    await cli.inFolder(["state", "taint", urn, "--yes", "--stack", cli.stack]);
  const output = await cli.must(["up", "--yes", "--skip-preview"]);
  expect(output).toMatch(/\+-2 replaced/);
  expect(output).toMatch(/ 9 unchanged\n/);
  await expectHealthy();
});

test("a key that does not see the project fails every command, and the state keeps every resource", async () => {
  const blind = createServer((_, answer) => {
    answer.writeHead(404, { "content-type": "application/json" }).end(`{"code":"","message":"not found"}`);
  });
  await once(blind.listen(0, "127.0.0.1"), "listening");
  const { port } = blind.address() as AddressInfo;
  const known = await urns();
  try {
    for (const command of ["up", "refresh", "destroy"]) {
      const { code, output } = await cli.run([command, "--yes", "--skip-preview"], {
        NEON_API_URL: `http://127.0.0.1:${port}/api/v2`,
      });
      expect(code).not.toBe(0);
      expect(output).toMatch(/sees no Neon project/);
    }
  } finally {
    blind.close();
  }
  expect(await urns()).toEqual(known);
});

test("another database replaces what is in the first one, and both are right afterwards", async () => {
  await sql("DELETE FROM public.stock_imports WHERE sku = 'w'");
  await sql("CREATE DATABASE second OWNER neondb_owner");
  const second = new URL(sandbox.info.superuserUri);
  second.pathname = "/second";
  const inSecond = () => withClient({ connectionString: second.href }, catalogFacts);
  await runSql(second.href, "SET ROLE neondb_owner; CREATE TABLE public.parcels (id int PRIMARY KEY)");

  await cli.program(program("second"));
  const preview = await cli.must(["preview", "--diff"]);
  expect(preview).toMatch(/\+-5 to replace/);
  expect(preview).toMatch(/database *: "neondb" => "second"/);
  await cli.must(["up", "--yes", "--skip-preview"]);
  expect(await cli.output("status")).toMatchObject({ ready: true, selected: 1, published: 1, full: 1 });
  const { host, port, username, password } = (await cli.output("connection")) as Connection;
  await login(host, port, "second", username, password);
  // Left are only what a project has besides its databases: the two roles and the list.
  const left = compareFacts(before, await facts()).map(({ kind, object }) => `${kind} ${object}`);
  expect(left.filter((fact) => !/bemi|IP Allow|second/.test(fact))).toEqual([]);
  expect(left.filter((fact) => /^(publication|schema|event trigger|replica identity)/.test(fact))).toEqual(
    [],
  );

  await cli.must(["destroy", "--yes", "--skip-preview"]);
  const afterwards = (await inSecond()).filter(({ kind }) =>
    /^(publication|schema|event trigger)/.test(kind),
  );
  expect(afterwards.filter(({ object }) => object.includes("bemi"))).toEqual([]);
  await sql("DROP DATABASE second WITH (FORCE)");
  expect(compareFacts(before, await facts())).toEqual([]);
});
