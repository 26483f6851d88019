import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { refusal } from "../../support/refusal";
import { TARGET, testRun, type TestRun } from "../../support/run";
import { change, publicationInputs, up } from "../../support/stack";
import { identities, members } from "../../support/tables";
import { Trail } from "../../support/trail";

const PUBLIC = { schemas: ["public"] };

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase({ version: 18, profile: "neon" });
});
afterAll(async () => {
  await db.close();
});
beforeEach(() => {
  run = testRun(db);
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

test("PostgreSQL 18: no write fails because of generated columns", async () => {
  await db.sql(`
    CREATE TABLE stored (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
    CREATE TABLE virtual_key (id int PRIMARY KEY, b int GENERATED ALWAYS AS (id + 1) VIRTUAL);
    CREATE TABLE virtual_only (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL);
    CREATE TABLE stored_elsewhere (id int PRIMARY KEY, b int GENERATED ALWAYS AS (id + 1) STORED);
    CREATE PUBLICATION theirs FOR TABLE stored_elsewhere`);
  const stack = await up(run, PUBLIC);

  expect(await identities(db)).toEqual({
    "public.stored": "f",
    "public.virtual_key": "d",
    "public.virtual_only": "d",
    "public.stored_elsewhere": "d",
  });
  expect(stack.publication).toMatchObject({ wanted: 4, done: 3 });
  expect(stack.publication.pending).toEqual([
    expect.stringMatching(/^public\.stored_elsewhere: .*theirs/),
    expect.stringMatching(/^public\.virtual_key: .*virtual/),
    expect.stringMatching(/^public\.virtual_only: not published: .*virtual/),
  ]);
  await writeAll();
  await run.end();
  expect((await replicaIdentity.read(stack.identity, run))?.drift).toEqual({});
  expect((await publication.read(stack.publication, run))?.drift).toEqual({});
});

describe("PostgreSQL 18: a publication for all tables that leaves generated columns out", () => {
  const adopting = { ...TARGET, ...PUBLIC, adopt: true };
  const FOR_ALL = "CREATE PUBLICATION bemi FOR ALL TABLES";
  beforeEach(() =>
    db.sql(`
      CREATE TABLE plain (a int); ALTER TABLE plain REPLICA IDENTITY FULL;
      CREATE TABLE stored (id int PRIMARY KEY, b int GENERATED ALWAYS AS (id + 1) STORED); ALTER TABLE stored REPLICA IDENTITY FULL`),
  );

  async function expectTracked(): Promise<void> {
    expect(await identities(db)).toEqual({ "public.plain": "f", "public.stored": "f" });
    expect(await members(db)).toEqual(["public.plain", "public.stored"]);
    await writeAll();
  }

  test("is adopted by one up, as the preview says", async () => {
    await db.sql(FOR_ALL);
    const trail = new Trail(() => testRun(db));
    expect((await trail.previewUp(adopting))["readiness"]).toEqual([]);
    await trail.up(adopting);
    await expectTracked();
    await trail.destroy();
  });

  test("made by somebody in place of the trail's, is adopted by two ups, as the preview says", async () => {
    await db.sql("ALTER TABLE stored REPLICA IDENTITY DEFAULT");
    const trail = new Trail(() => testRun(db));
    await trail.up({ ...TARGET, ...PUBLIC });
    await db.sql(`DROP PUBLICATION bemi; ${FOR_ALL}`);
    expect((await trail.previewUp(adopting))["readiness"]).toEqual([
      "This needs a second up: public.stored does not have FULL identity yet, so the row before a change is not captured. Run pulumi up again, which sets it.",
    ]);
    expect(await refusal(trail.up(adopting))).toMatch(
      /is not ready:[^]*public\.stored .*Run pulumi up again/,
    );
    await writeAll();
    await trail.up(adopting);
    await expectTracked();
    await trail.destroy();
  });
});

test("PostgreSQL 18: no write fails when a migration adds a virtual column", async () => {
  await db.sql("CREATE TABLE with_key (id int PRIMARY KEY, a int); CREATE TABLE without_key (a int)");
  await up(run, PUBLIC);
  await db.sql(`
    ALTER TABLE with_key ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL;
    ALTER TABLE without_key ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL;
    CREATE TABLE born_with_it (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL);
    CREATE TABLE born_stored (a int, b int GENERATED ALWAYS AS (a + 1) STORED)`);
  await writeAll();
  expect(await identities(db)).toEqual({
    "public.with_key": "d",
    "public.without_key": "d",
    "public.born_with_it": "d",
    "public.born_stored": "f",
  });
  expect(await members(db)).toEqual(["public.born_stored", "public.with_key"]);
});

test("PostgreSQL 18: without event triggers, the next up mends a new virtual column", async () => {
  const selection = { ...PUBLIC, trackNewTables: false };
  await db.sql("CREATE TABLE with_key (id int PRIMARY KEY, a int); CREATE TABLE without_key (a int)");
  const stack = await up(run, selection);
  await db.sql(`
    ALTER TABLE with_key ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL;
    ALTER TABLE without_key ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL`);
  await run.end();
  const observed = await replicaIdentity.read(stack.identity, run);
  expect(observed?.drift).toEqual({ writesRefused: "public.with_key, public.without_key" });
  await change(run, stack, selection);
  await writeAll();
  expect(await members(db)).toEqual(["public.with_key"]);
  expect(await identities(db)).toEqual({ "public.with_key": "d", "public.without_key": "d" });
});

test("PostgreSQL 18: notices when publish_generated_columns was changed", async () => {
  await db.sql("CREATE TABLE stored (a int, b int GENERATED ALWAYS AS (a + 1) STORED)");
  const stack = await up(run, PUBLIC);
  await db.sql("ALTER PUBLICATION bemi SET (publish_generated_columns = none)");
  await run.end();
  expect((await publication.read(stack.publication, run))?.drift).toMatchObject({
    publicationOptions: "publish_generated_columns = none",
  });
  await publication.update(stack.publication, publicationInputs(PUBLIC), run);
  await writeAll();
  expect(await members(db)).toEqual(["public.stored"]);
});

async function writeAll(): Promise<void> {
  for (const name of Object.keys(await identities(db)))
    await db.sql(`INSERT INTO ${name} VALUES (1); DELETE FROM ${name}`);
}
