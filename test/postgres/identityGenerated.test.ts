import type { PublicationInputs, ReplicaIdentityInputs } from "../../provider/inputs";
import { publication } from "../../provider/postgres/publication";
import { replicaIdentity } from "../../provider/postgres/replicaIdentity";
import { runSql, testDatabase, type TestDatabase } from "../support/postgres";
import { TARGET, testRun, type TestRun } from "../support/session";

const SHARED = { ...TARGET, schemas: ["public"], trackNewTables: true, managedBy: "shop/production/orders" };
const IDENTITY: ReplicaIdentityInputs = { ...SHARED, publication: "bemi" };
const PUBLICATION: PublicationInputs = { ...SHARED, name: "bemi", adopt: false };

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
  await owner(
    "DROP SCHEMA IF EXISTS public, _bemi CASCADE; CREATE SCHEMA public; DROP PUBLICATION IF EXISTS bemi, theirs",
  );
});

test("PostgreSQL 18: generated columns never cost the app a write", async () => {
  await owner(`
    CREATE TABLE stored (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
    CREATE TABLE virtual_key (id int PRIMARY KEY, b int GENERATED ALWAYS AS (id + 1) VIRTUAL);
    CREATE TABLE virtual_only (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL);
    CREATE TABLE stored_elsewhere (id int PRIMARY KEY, b int GENERATED ALWAYS AS (id + 1) STORED);
    CREATE PUBLICATION theirs FOR TABLE stored_elsewhere`);
  const identity = await replicaIdentity.create(IDENTITY, run);
  const outputs = await publication.create(PUBLICATION, run);

  expect(await identities()).toEqual({
    stored: "f",
    virtual_key: "d",
    virtual_only: "d",
    stored_elsewhere: "d",
  });
  expect(outputs).toMatchObject({ wanted: 4, done: 3 });
  expect(outputs.pending).toEqual([
    expect.stringMatching(/^public\.stored_elsewhere: .*theirs/),
    expect.stringMatching(/^public\.virtual_key: .*virtual/),
    expect.stringMatching(/^public\.virtual_only: not published: .*virtual/),
  ]);
  await writeAll();
  await run.end();
  expect((await replicaIdentity.read({ ...IDENTITY, ...identity }, run))?.drift).toEqual({});
  expect((await publication.read({ ...PUBLICATION, ...outputs }, run))?.drift).toEqual({});
});

test("PostgreSQL 18: a migration that adds a virtual column to a tracked table keeps its writes", async () => {
  await owner("CREATE TABLE with_key (id int PRIMARY KEY, a int); CREATE TABLE without_key (a int)");
  await replicaIdentity.create(IDENTITY, run);
  await publication.create(PUBLICATION, run);
  await owner(`
    ALTER TABLE with_key ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL;
    ALTER TABLE without_key ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL;
    CREATE TABLE born_with_it (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL);
    CREATE TABLE born_stored (a int, b int GENERATED ALWAYS AS (a + 1) STORED)`);
  await writeAll();
  expect(await identities()).toEqual({
    with_key: "d",
    without_key: "d",
    born_with_it: "d",
    born_stored: "f",
  });
  expect(await members()).toEqual(["born_stored", "with_key"]);
});

test("PostgreSQL 18: without event triggers, the next up mends a table that got a virtual column", async () => {
  const identityInputs = { ...IDENTITY, trackNewTables: false };
  const inputs = { ...PUBLICATION, trackNewTables: false };
  await owner("CREATE TABLE with_key (id int PRIMARY KEY, a int); CREATE TABLE without_key (a int)");
  const identity = await replicaIdentity.create(identityInputs, run);
  const outputs = await publication.create(inputs, run);
  await owner(`
    ALTER TABLE with_key ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL;
    ALTER TABLE without_key ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL`);
  await run.end();
  const observed = await replicaIdentity.read({ ...identityInputs, ...identity }, run);
  expect(observed?.drift).toEqual({ "writes refused": "public.with_key, public.without_key" });
  await replicaIdentity.update({ ...identityInputs, ...identity }, identityInputs, run);
  await publication.update({ ...inputs, ...outputs }, inputs, run);
  await writeAll();
  expect(await members()).toEqual(["with_key"]);
  expect(await identities()).toEqual({ with_key: "d", without_key: "d" });
});

test("PostgreSQL 18: the option for stored generated columns is read back", async () => {
  await owner("CREATE TABLE stored (a int, b int GENERATED ALWAYS AS (a + 1) STORED)");
  await replicaIdentity.create(IDENTITY, run);
  const outputs = await publication.create(PUBLICATION, run);
  await owner("ALTER PUBLICATION bemi SET (publish_generated_columns = none)");
  await run.end();
  const state = { ...PUBLICATION, ...outputs };
  expect((await publication.read(state, run))?.drift).toMatchObject({ options: "publish_generated_columns" });
  await publication.update(state, PUBLICATION, run);
  await writeAll();
  expect(await members()).toEqual(["stored"]);
});

async function owner<Row extends object>(statement: string): Promise<Row[]> {
  return runSql<Row>(db.ownerUri, statement);
}

async function writeAll(): Promise<void> {
  for (const name of Object.keys(await identities()))
    await owner(`INSERT INTO ${name} VALUES (1); DELETE FROM ${name}`);
}

async function identities(): Promise<Record<string, string>> {
  const rows = await owner<{ relname: string; relreplident: string }>(
    "SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
  );
  return Object.fromEntries(rows.map(({ relname, relreplident }) => [relname, relreplident]));
}

async function members(): Promise<string[]> {
  const rows = await owner<{ name: string }>(
    "SELECT c.relname AS name FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid AND p.pubname = 'bemi' JOIN pg_class c ON c.oid = r.prrelid",
  );
  return rows.map(({ name }) => name).sort();
}
