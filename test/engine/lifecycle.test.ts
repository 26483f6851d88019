import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Sandbox } from "../../sandbox/sandbox";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf } from "../support/cli";
import { counting } from "../support/counts";
import { expectCareful, readRequestLog } from "../support/requestLog";
import { runSql } from "../support/postgres";
import { testSandbox } from "../support/sandbox";
import { ROLE_BY_API, ROLE_KIND } from "../support/trailRole";

/** The life of one stack, in the order of a user. Each test begins in the state that the test before it left. */
let sandbox: Sandbox;
let cli: Cli;
let before: Fact[];
let settings: Record<string, unknown>;

beforeAll(async () => {
  sandbox = await testSandbox();
  const { projectId, database } = sandbox.info;
  cli = await Cli.create(environmentOf(sandbox.info));
  settings = {
    projectId,
    database,
    schemas: ["public", "billing"],
    environment: "Test",
    dropSlotOnDestroy: true,
  };
  await cli.config(settings);
  before = await facts();
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  await cli.remove();
  await sandbox.stop();
});

function facts(): Promise<Fact[]> {
  return withClient({ connectionString: sandbox.info.superuserUri }, catalogFacts);
}

function sql<Row extends object>(statement: string): Promise<Row[]> {
  return runSql<Row>(sandbox.info.superuserUri, statement);
}

/** How often a phase logs in as a role that exists, to verify its password. Neon tells the passwords of its API's roles. */
const VERIFYING_LOGINS = ROLE_BY_API ? undefined : 1;

/**
 * How many requests more an up takes for a role of Neon's API: it is looked at, and its password is compared, in preview and
 * update.
 */
const REQUESTS_FOR_ROLE = ROLE_BY_API ? { made: 2, kept: 4 } : { made: 0, kept: 0 };

/** The secrets that must appear neither in the state nor in logs. */
async function secrets(): Promise<{ apiKey: string; owner: string; role: string }> {
  const { password } = (await cli.output("connection")) as { password: string };
  return {
    apiKey: sandbox.info.apiKey,
    owner: decodeURIComponent(new URL(sandbox.info.ownerUri).password),
    role: password,
  };
}

/** The lines that contain a secret. An assertion on the whole text would print all of it when it fails. */
function leaks(text: string, named: Readonly<Record<string, string>>): string[] {
  return Object.entries(named).flatMap(([name, secret]) =>
    text
      .split("\n")
      .filter((line) => line.includes(secret))
      .map((line) => `${name}: ${line.slice(0, 200)}`),
  );
}

test("a first preview looks, says what up will do, and changes nothing", async () => {
  let output = "";
  const { logins, requests } = await counting(sandbox.info, async () => {
    output = await cli.must(["preview"]);
  });
  expect(output).toMatch(/\+ 9 to create/);
  expect(output).toMatch(/ is off: turning it on restarts all computes.*cannot be undone/);
  expect(output).toMatch(/19 tables get the replica identity FULL: .* and 14 more/);
  expect(output).not.toMatch(/ to (update|delete|replace)/);
  expect(requests.length).toBeLessThanOrEqual(5);
  expect(requests.filter((request) => !request.startsWith("GET "))).toEqual([]);
  expect(logins["neondb_owner"]).toBe(1);
  expect(compareFacts(before, await facts())).toEqual([]);
});

/** Runs `work` while an application constantly updates and deletes rows of the table without a primary key. */
async function underWriter(work: () => Promise<unknown>): Promise<{ writes: number; errors: string[] }> {
  let [writes, done] = [0, false];
  const errors: string[] = [];
  const writing = (async () => {
    while (!done) {
      try {
        await withClient({ connectionString: sandbox.info.superuserUri }, async (client) => {
          for (; !done; writes++) {
            await client.query(
              `INSERT INTO public.stock_imports (file, sku, quantity, imported_at) VALUES ('w', 'w', 1, now())`,
            );
            await client.query(`UPDATE public.stock_imports SET quantity = quantity + 1 WHERE sku = 'w'`);
            await client.query(`DELETE FROM public.stock_imports WHERE sku = 'w'`);
          }
        });
      } catch (error) {
        // The restart for logical replication drops the connection once. The application then connects again.
        const { code, message } = error as { code?: string; message: string };
        if (!/^(57P0[1-3]|ECONN\w+)$/.test(code ?? "") && !/terminated|connection error/.test(message))
          errors.push(message);
      }
    }
  })();
  try {
    await work();
  } finally {
    done = true;
    await writing;
  }
  return { writes, errors };
}

test("the first up takes few requests and logins, and no write of the app fails", async () => {
  const { logins, requests } = await counting(sandbox.info, async () => {
    const { writes, errors } = await underWriter(() => cli.must(["up", "--yes"]));
    expect(errors).toEqual([]);
    expect(writes).toBeGreaterThan(0);
  });
  expect(await cli.output("status")).toMatchObject({
    ready: true,
    walLevel: "logical",
    selected: 19,
    published: 19,
    full: 19,
  });
  expect(requests.length).toBeLessThanOrEqual(12 + REQUESTS_FOR_ROLE.made);
  expect(logins["bemi"]).toBe(1);
  // Once in the preview, once before the compute restarts and once after. Neon drops connections when it makes a role.
  expect(logins["neondb_owner"]).toBeLessThanOrEqual(ROLE_BY_API ? 4 : 3);
});

test("a second up changes nothing; the owner logs in twice, Bemi's role once", async () => {
  const { logins, requests } = await counting(sandbox.info, async () => {
    expect(await cli.must(["up", "--yes"])).toMatch(/Resources:\n\s+9 unchanged\n/);
  });
  expect(logins).toMatchObject({ neondb_owner: 2 });
  expect(logins["bemi"]).toBe(VERIFYING_LOGINS);
  expect(requests.length).toBeLessThanOrEqual(6 + REQUESTS_FOR_ROLE.kept);
});

test("a refresh takes one login of each role and at most six requests", async () => {
  const { logins, requests } = await counting(sandbox.info, () =>
    cli.must(["refresh", "--yes", "--skip-preview"]),
  );
  expect(logins).toMatchObject({ neondb_owner: 1 });
  expect(logins["bemi"]).toBe(VERIFYING_LOGINS);
  expect(requests.length).toBeLessThanOrEqual(6);
});

/** The resources in the state by their types, and those among them that hold a secret. */
function resourcesOf(state: string): { types: string[]; secret: string[] } {
  const { deployment } = JSON.parse(state) as {
    deployment: { resources: { type: string; outputs?: object }[] };
  };
  const types = ({ type }: { type: string }): string => type;
  const withSecret = deployment.resources.filter(({ outputs }) =>
    JSON.stringify(outputs ?? {}).includes("ciphertext"),
  );
  return { types: deployment.resources.map(types).sort(), secret: withSecret.map(types).sort() };
}

test("the state holds the password only, encrypted where it is and where it is contained", async () => {
  const { apiKey, owner, role } = await secrets();
  const state = await cli.state();
  expect(leaks(state, { apiKey, owner, role })).toEqual([]);
  expect(resourcesOf(state)).toEqual({
    types: [
      "neon-bemi:index:BemiAuditTrail",
      "neon-bemi:index:LogicalReplication",
      "neon-bemi:index:Publication",
      "neon-bemi:index:ReadAccess",
      "neon-bemi:index:Readiness",
      "neon-bemi:index:ReplicaIdentity",
      "neon-bemi:index:ReplicationSlot",
      "pulumi:providers:neon-bemi",
      "pulumi:pulumi:Stack",
      `neon-bemi:index:${ROLE_KIND}`,
    ].sort(),
    secret: ["neon-bemi:index:BemiAuditTrail", "pulumi:pulumi:Stack", `neon-bemi:index:${ROLE_KIND}`].sort(),
  });
});

test("no log holds a secret while a password changes; at -v=9 at most the role's", async () => {
  const { apiKey, owner, role: first } = await secrets();
  const events = path.join(cli.folder, "events.json");
  const grpc = path.join(cli.folder, "grpc.json");
  const debug = { PULUMI_DEBUG_COMMANDS: "true" };
  await cli.config({ ...settings, role: { passwordVersion: 2 } });
  const json = await cli.must(["preview", "--json"]);
  const modest = await cli.must(["up", "--yes", "-v=7", "--logtostderr", "--event-log", events], debug);
  const { role: second } = await secrets();
  expect(second).not.toBe(first);
  const eventLog = await readFile(events, "utf8");
  expect(eventLog).toContain(ROLE_KIND);
  for (const text of [json, modest, eventLog])
    expect(leaks(text, { apiKey, owner, first, second })).toEqual([]);

  await cli.config(settings);
  const loud = await cli.must(["up", "--yes", "-v=9", "--logtostderr"], { PULUMI_DEBUG_GRPC: grpc });
  const calls = await readFile(grpc, "utf8");
  expect(calls).toContain("/pulumirpc.ResourceProvider/Update");
  for (const text of [loud, calls]) expect(leaks(text, { apiKey, owner })).toEqual([]);
});

const LATER = { excludeTables: ["public.sessions"], identity: { tables: { "public.orders": "primaryKey" } } };

test("tables excluded later, or told to keep their key, get their identity back without a replacement", async () => {
  await cli.config({ ...settings, excludeTables: ["public.sessions"] });
  await cli.must(["config", "set", "--path", 'identity.tables["public.orders"]', "primaryKey"]);
  const output = await cli.must(["up", "--yes"]);
  expect(output).not.toMatch(/replace/);
  expect(output).toContain("1 table gets back the replica identity of before instead of FULL: public.orders");
  const status = { ready: true, selected: 18, published: 18, full: 17, keyIdentity: 1 };
  expect(await cli.output("status")).toMatchObject(status);
  const tables = await sql<{ relreplident: string }>(
    `SELECT relreplident FROM pg_class WHERE oid IN ('public.sessions'::regclass, 'public.orders'::regclass)`,
  );
  expect(tables).toEqual([{ relreplident: "d" }, { relreplident: "d" }]);
});

test("reports a wrong table name before anything is changed", async () => {
  await cli.config({ ...settings, tables: ["public.Orders"], schemas: undefined });
  const { code, output } = await cli.run(["up", "--yes", "--skip-preview"]);
  expect(code).not.toBe(0);
  expect(output).toMatch(/public\.Orders is not a table of this database\. Did you mean public\.orders\?/);
  await cli.config({ ...settings, ...LATER });
  expect(await cli.must(["up", "--yes"])).toMatch(/unchanged/);
  expect(await cli.output("status")).toMatchObject({ ready: true, selected: 18, published: 18 });
});

test("destroy restores everything, no write fails, a second destroy does nothing", async () => {
  const { errors } = await underWriter(() => cli.must(["destroy", "--yes"]));
  expect(errors).toEqual([]);
  expect(compareFacts(before, await facts())).toEqual([]);
  const preview = await cli.must(["preview"]);
  expect(preview).toMatch(/\+ 9 to create/);
  expect(preview).not.toMatch(/ to (update|delete|replace)/);
  await cli.must(["destroy", "--yes"]);
});
