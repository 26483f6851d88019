import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startSandbox } from "../../sandbox";
import type { Sandbox } from "../../sandbox/sandbox";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli } from "../support/cli";
import { counting } from "../support/counts";
import { expectCareful, readRequestLog } from "../support/requestLog";
import { runSql } from "../support/postgres";

/** The life of one stack, in the order of a user. Each test begins in the state that the test before it left. */
let sandbox: Sandbox;
let cli: Cli;
let before: Fact[];
let settings: Record<string, unknown>;

beforeAll(async () => {
  sandbox = await startSandbox({});
  const { apiUrl, apiKey, sslRootCert, projectId, database } = sandbox.info;
  cli = await Cli.create({ NEON_API_URL: apiUrl, NEON_API_KEY: apiKey, PGSSLROOTCERT: sslRootCert });
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

test("a first preview shows creates only, announces the restart, connects to nothing", async () => {
  let output = "";
  const { logins, requests } = await counting(sandbox.info, async () => {
    output = await cli.must(["preview"]);
  });
  expect(output).toMatch(/\+ 9 to create/);
  expect(output).toMatch(/all computes of the project restart.*cannot be undone/);
  expect(output).not.toMatch(/ to (update|delete|replace)/);
  expect(requests).toEqual([]);
  expect(logins["neondb_owner"]).toBeUndefined();
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
    publishedTables: "19 of 19",
  });
  expect(requests.length).toBeLessThanOrEqual(12);
  expect(logins["bemi"]).toBe(1);
  // Once before the compute restarts and once after.
  expect(logins["neondb_owner"]).toBeLessThanOrEqual(2);
});

test("a second up changes nothing; the owner logs in twice, Bemi's role once", async () => {
  const { logins, requests } = await counting(sandbox.info, async () => {
    expect(await cli.must(["up", "--yes"])).toMatch(/Resources:\n\s+9 unchanged\n/);
  });
  expect(logins).toMatchObject({ neondb_owner: 2, bemi: 1 });
  expect(requests.length).toBeLessThanOrEqual(6);
});

test("a refresh takes one login of each role and at most six requests", async () => {
  const { logins, requests } = await counting(sandbox.info, () =>
    cli.must(["refresh", "--yes", "--skip-preview"]),
  );
  expect(logins).toMatchObject({ neondb_owner: 1, bemi: 1 });
  expect(requests.length).toBeLessThanOrEqual(6);
});

test("the state contains one secret, encrypted, and short provider references", async () => {
  const { apiKey, owner, role } = await secrets();
  const state = await cli.state();
  expect(leaks(state, { apiKey, owner, role })).toEqual([]);
  const references = [...state.matchAll(/"__provider": ("(?:[^"\\]|\\.)*")/g)].map(([, text = ""]) => text);
  expect(references.length).toBeGreaterThan(0);
  for (const reference of references) expect((JSON.parse(reference) as string).length).toBeLessThan(200);
});

test("logs contain no secret at -v=7, and neither API key nor owner password at -v=9", async () => {
  const { apiKey, owner, role } = await secrets();
  const modest = await cli.run(["up", "--yes", "-v=7", "--logtostderr"]);
  expect(modest.code).toBe(0);
  expect(leaks(modest.output, { apiKey, owner, role })).toEqual([]);

  const events = path.join(tmpdir(), `neon-bemi-events-${process.pid}.json`);
  const debug = { PULUMI_DEBUG_COMMANDS: "true" };
  expect((await cli.run(["up", "--yes", "--event-log", events], debug)).code).toBe(0);
  expect(leaks(await readFile(events, "utf8"), { apiKey, owner, role })).toEqual([]);
  await rm(events);

  const grpc = path.join(tmpdir(), `neon-bemi-grpc-${process.pid}.json`);
  const loud = await cli.run(["up", "--yes", "-v=9", "--logtostderr"], { PULUMI_DEBUG_GRPC: grpc });
  const calls = await readFile(grpc, "utf8");
  await rm(grpc);
  expect(loud.code).toBe(0);
  expect(calls).toContain("__provider");
  expect(leaks(loud.output, { apiKey, owner })).toEqual([]);
  expect(leaks(calls, { apiKey, owner })).toEqual([]);
});

test("the next preview names drift, and the next up repairs it", async () => {
  await sql(`ALTER TABLE public.orders REPLICA IDENTITY DEFAULT`);
  await sql(`ALTER PUBLICATION bemi DROP TABLE public.customers`);
  await sql(`ALTER ROLE bemi PASSWORD 'somebody-else-s-2026'`);
  const preview = await cli.must(["preview", "--diff"]);
  expect(preview).toMatch(/drift/);
  expect(preview).toContain("public.orders");
  expect(preview).toContain("public.customers");
  expect(preview).toMatch(/does not accept the password/);
  await cli.must(["up", "--yes"]);
  expect(await cli.must(["preview"])).toMatch(/9 unchanged/);
  expect(await cli.output("status")).toMatchObject({
    ready: true,
    publishedTables: "19 of 19",
    fullIdentity: "19 of 19",
  });
});

test("a table excluded later gets its replica identity back, without a replacement", async () => {
  await cli.config({ ...settings, excludeTables: ["public.sessions"] });
  const output = await cli.must(["up", "--yes"]);
  expect(output).not.toMatch(/replace/);
  expect(await cli.output("status")).toMatchObject({ ready: true, publishedTables: "18 of 18" });
  const [table] = await sql<{ relreplident: string }>(
    `SELECT relreplident FROM pg_class WHERE oid = 'public.sessions'::regclass`,
  );
  expect(table).toEqual({ relreplident: "d" });
});

test("reports a wrong table name before anything is changed", async () => {
  await cli.config({ ...settings, tables: ["public.Orders"], schemas: undefined });
  const { code, output } = await cli.run(["up", "--yes", "--skip-preview"]);
  expect(code).not.toBe(0);
  expect(output).toMatch(/public\.Orders is not a table of this database\. Did you mean public\.orders\?/);
  await cli.config({ ...settings, excludeTables: ["public.sessions"] });
  expect(await cli.must(["up", "--yes"])).toMatch(/unchanged/);
  expect(await cli.output("status")).toMatchObject({ ready: true, publishedTables: "18 of 18" });
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
