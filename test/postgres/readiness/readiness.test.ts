import { readFileSync } from "node:fs";
import type { Kind } from "../../../provider/contract/kind";
import {
  publication,
  readAccess,
  readiness,
  replicaIdentity,
  replicationSlot,
} from "../../../provider/postgres";
import { bemiRole } from "../../support/bemiRole";
import {
  DEFAULT_VERSION,
  ROLE_MADE_BY,
  runSql,
  testDatabase,
  type TestDatabase,
} from "../../support/postgres";
import { TARGET, testRun, type TestRun } from "../../support/run";
import { Trail, type TrailArgs } from "../../support/trail";
import { unchanged } from "../../support/unchanged";

let db: TestDatabase;
const runs: TestRun[] = [];

beforeAll(async () => {
  db = await testDatabase({
    // Event triggers would mend at once what these tests change by hand.
    profile: "strict",
    settings: { log_statement: "all", log_connections: "on" },
    sql: `CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE lines (v text); CREATE SCHEMA other;
          CREATE TABLE other.t (id int)`,
  });
});

afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.end()));
});

afterAll(async () => {
  await db.close();
});

/** Every call is another plugin process. */
function newProcess(): TestRun {
  const run = testRun(db);
  runs.push(run);
  return run;
}

const managedBy = "shop/dev/orders";
const schemas = ["public"];

const role = { ...TARGET, name: "bemi", adopt: false, managedBy };
const access = { ...TARGET, role: "bemi", schemas };
const identity = { ...TARGET, schemas, trackNewTables: true, publication: "bemi", managedBy };
const pub = { ...TARGET, name: "bemi", schemas, trackNewTables: true, adopt: false, managedBy };
const slot = { ...TARGET, name: "bemi", role: "bemi", dropOnDestroy: false };
const ready = {
  ...TARGET,
  schemas,
  role: "bemi",
  publication: "bemi",
  slot: "bemi",
  trackNewTables: true,
  after: [],
};

/** One resource of the trail, with its type put away so that all six fit in one list. */
interface Resource {
  up(run: TestRun): Promise<void>;
  read(run: TestRun): Promise<unknown>;
  destroy(run: TestRun): Promise<void>;
}

function resource<Inputs extends object, Outputs extends object>(
  kind: Kind<Inputs, Outputs>,
  inputs: Inputs,
): Resource {
  let state: (Inputs & Partial<Outputs>) | undefined;
  const made = () => state ?? inputs;
  return {
    up: async (run) => {
      state = { ...inputs, ...(await kind.create(inputs, run)) };
    },
    read: async (run) => (await kind.read(made(), run))?.drift ?? {},
    destroy: (run) => kind.delete(made(), run),
  };
}

const trail = [
  resource(bemiRole, role),
  resource(readAccess, access),
  resource(replicaIdentity, identity),
  resource(publication, pub),
  resource(replicationSlot, slot),
  resource(readiness, ready),
];

async function up(): Promise<void> {
  const run = newProcess();
  for (const each of trail) await each.up(run);
}

async function down(): Promise<void> {
  const run = newProcess();
  for (const each of [...trail].reverse()) await each.destroy(run);
}

/** What the owner's sessions did in the server while `work` ran. */
async function cost(work: () => Promise<void>): Promise<{ logins: number; statements: number }> {
  const before = readFileSync(db.serverLog, "utf8").length;
  await work();
  const lines = readFileSync(db.serverLog, "utf8").slice(before).split("\n");
  const owner = lines.filter((line) => line.includes("neondb_owner"));
  return {
    logins: owner.filter((line) => line.includes("connection authorized")).length,
    statements: owner.filter((line) => /LOG: {2}(statement|execute)/.test(line)).length,
  };
}

test("names everything that is missing in one error", async () => {
  await expect(readiness.create(ready, newProcess())).rejects.toThrow(
    /database "neondb" is not ready:\n {2}- Role bemi does not exist[^]*\n {2}- Publication bemi does not exist/,
  );
});

test("is ready after an up, and outputs what it verified", async () => {
  await up();
  const outputs = await readiness.create(ready, newProcess());
  expect(outputs).toMatchObject({
    ready: true,
    walLevel: "logical",
    serverVersion: expect.stringMatching(new RegExp(`^${DEFAULT_VERSION}\\.\\d+$`)) as string,
    selected: 2,
    published: 2,
    full: 2,
    slotState: "not created yet",
    newTables: "next up",
  });
  expect(outputs.degraded).toEqual([
    expect.stringMatching(/^New tables are tracked from the next up on/) as string,
  ]);
  await down();
});

test("refreshes with one login and at most five statements for any number of tables", async () => {
  const refresh = () =>
    cost(async () => {
      const run = newProcess();
      for (const each of trail) expect(await each.read(run)).toEqual({});
    });
  await up();
  const few = await refresh();
  await down();
  await runSql(
    db.ownerUri,
    "DO $$ BEGIN FOR i IN 1..500 LOOP EXECUTE format('CREATE TABLE many_%s (id int)', i); END LOOP; END $$",
  );
  await up();
  const many = await refresh();
  await down();
  await runSql(
    db.ownerUri,
    "DO $$ BEGIN FOR i IN 1..500 LOOP EXECUTE format('DROP TABLE many_%s', i); END LOOP; END $$",
  );
  expect(few.logins).toBe(1);
  expect(few.statements).toBeLessThanOrEqual(5);
  expect(many).toEqual(few);
});

test("shows by name what is no longer ready, and fails the next up", async () => {
  await up();
  const state = { ...ready, ...(await readiness.create(ready, newProcess())) };
  await runSql(db.superuserUri, "ALTER TABLE orders REPLICA IDENTITY DEFAULT; ALTER ROLE bemi NOLOGIN");
  const observed = await readiness.read(state, newProcess());
  expect(observed?.outputs).toMatchObject({ ready: false, selected: 2, published: 2, full: 1 });
  expect(observed?.drift).toEqual({
    notReady: expect.stringMatching(
      /^Role bemi lacks LOGIN.*\. public\.orders does not have FULL identity/,
    ) as string,
  });
  await expect(readiness.update(state, ready, newProcess())).rejects.toThrow(
    /public.orders does not have FULL/,
  );
  await runSql(db.superuserUri, "ALTER TABLE orders REPLICA IDENTITY FULL; ALTER ROLE bemi LOGIN");
  await expect(readiness.update(state, ready, newProcess())).resolves.toMatchObject({ ready: true });
  await down();
});

test("shows a new limit in the outputs, which is no drift", async () => {
  await up();
  const state = { ...ready, ...(await readiness.create(ready, newProcess())) };
  await runSql(db.superuserUri, "ALTER ROLE bemi CONNECTION LIMIT 1");
  const limited = await readiness.read(state, newProcess());
  expect(limited?.drift).toEqual({});
  expect(limited?.outputs.degraded).toContainEqual(
    expect.stringMatching(/^Role bemi may have 1 connections/),
  );
  await runSql(db.superuserUri, "ALTER ROLE bemi CONNECTION LIMIT -1");
  expect((await readiness.read(state, newProcess()))?.drift).toEqual({});
  await down();
});

/** What a preview says of Bemi's role. One that Neon's API makes can read everything already. */
const ROLE_AND_ACCESS =
  ROLE_MADE_BY === "api"
    ? { apiRole: [expect.stringMatching(/^Role bemi is made through Neon's API/)], access: [] }
    : {
        role: [expect.stringMatching(/^Role bemi is made/)],
        access: expect.arrayContaining([
          "Role bemi gets SELECT on 2 tables: public.lines, public.orders.",
        ]) as string[],
      };

test("is verified in a preview as everything planned before it will leave the database", async () => {
  const preview = (args: Partial<TrailArgs> = {}) =>
    unchanged(db, () => new Trail(newProcess).previewUp({ ...TARGET, schemas, ...args }));
  const spent = await cost(async () => {
    expect(await preview()).toMatchObject({ ...ROLE_AND_ACCESS, readiness: [] });
  });
  expect(spent.logins).toBe(1);
  await up();
  const state = { ...ready, ...(await readiness.create(ready, newProcess())) };
  expect(await readiness.plan(ready, newProcess(), state)).toMatchObject({
    changes: [],
    outputs: { ready: true, selected: 2, published: 2, full: 2 },
  });
  await down();
});

test("fails in a preview for what an up fails for", async () => {
  await expect(readiness.plan(ready, newProcess())).rejects.toThrow(
    /database "neondb" is not ready:\n {2}- Role bemi does not exist[^]*\n {2}- Publication bemi does not exist/,
  );
});
