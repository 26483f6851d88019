import { Client } from "pg";
import type { ReplicaIdentityInputs } from "../../provider/inputs";
import { replicaIdentity } from "../../provider/postgres/replicaIdentity";
import { runSql, testDatabase, type TestDatabase } from "../support/postgres";
import { TARGET, testRun, type TestRun } from "../support/session";

const LONGEST = "x".repeat(63);

const INPUTS: ReplicaIdentityInputs = {
  ...TARGET,
  schemas: ["public"],
  trackNewTables: true,
  publication: "bemi",
  managedBy: "shop/production/orders",
};

let db: TestDatabase;
let run: TestRun;
const clients: Client[] = [];

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await owner(`
    CREATE TABLE plain (id int PRIMARY KEY, note text);
    CREATE TABLE keyless (note text);
    CREATE TABLE nothing (note text);
    ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE indexed (id int NOT NULL, note text);
    CREATE UNIQUE INDEX "Indexed by.id" ON indexed (id);
    ALTER TABLE indexed REPLICA IDENTITY USING INDEX "Indexed by.id";
    CREATE TABLE whole (note text);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE "Mixed ""Case"".dots and spaces 🙂" (note text);
    CREATE TABLE "${LONGEST}" (note text);
    CREATE TABLE parted (id int) PARTITION BY LIST (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
    CREATE SCHEMA "far Away";
    CREATE TABLE "far Away".parted_2 PARTITION OF public.parted FOR VALUES IN (2);
    CREATE TABLE "far Away".bystander (note text);`);
});
afterEach(async () => {
  await Promise.all([run.end(), ...clients.splice(0).map((client) => client.end())]);
  await owner(`
    DROP SCHEMA IF EXISTS public, "far Away", _bemi, _other CASCADE;
    CREATE SCHEMA public;
    DROP PUBLICATION IF EXISTS bemi, theirs;`);
});

test("sets what is tracked, leaves by leaf, and puts back exactly what was there", async () => {
  const before = await identities();
  const outputs = await replicaIdentity.create(INPUTS, run);

  expect(outputs).toMatchObject({ wanted: 10, done: 10, pending: [], newTables: "next up" });
  expect(await identities()).toEqual({
    ...before,
    ...Object.fromEntries(tracked(before).map((name) => [name, "f"])),
  });
  expect((await identities())["far Away.bystander"]).toBe("d");
  expect(run.lines).toContainEqual(expect.stringMatching(/event triggers/));

  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await identities()).toEqual(before);
  expect(await ownSchemas()).toEqual([]);

  // Twice is fine.
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
});

test("a second run changes nothing, and reads without drift", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  const rows = await owner<{ xmin: string }>("SELECT max(xmin::text::bigint) AS xmin FROM pg_class");
  const again = await replicaIdentity.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(again).toEqual(outputs);
  expect(await owner("SELECT max(xmin::text::bigint) AS xmin FROM pg_class")).toEqual(rows);
  const observed = await replicaIdentity.read({ ...INPUTS, ...outputs }, run);
  expect(observed).toEqual({ outputs, drift: {} });
});

test("names what is not FULL any more, and mends it", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await owner(`ALTER TABLE plain REPLICA IDENTITY DEFAULT; CREATE TABLE newcomer (note text)`);
  await run.end();
  const observed = await replicaIdentity.read({ ...INPUTS, ...outputs }, run);
  expect(observed?.drift).toEqual({ "replica identity not full": "public.newcomer, public.plain" });
  expect(observed?.outputs.fingerprint).not.toBe(outputs.fingerprint);

  const mended = await replicaIdentity.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(mended).toMatchObject({ wanted: 11, done: 11 });
  await replicaIdentity.delete({ ...INPUTS, ...mended }, run);
  expect(await identities()).toMatchObject({ "public.plain": "d", "public.newcomer": "d" });
});

test("a table that leaves the selection gets back what it had, at once if nobody publishes it", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  const narrower = { ...INPUTS, excludeTables: ["public.indexed", "public.nothing", "public.whole"] };
  await replicaIdentity.update({ ...INPUTS, ...outputs }, narrower, run);
  expect(await identities()).toMatchObject({
    "public.indexed": "i",
    "public.nothing": "n",
    "public.whole": "f",
    "public.plain": "f",
  });
});

test("indexes and tables that have gone meanwhile are no obstacle", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await owner(`DROP INDEX "Indexed by.id"; DROP TABLE keyless; ALTER TABLE plain RENAME TO "Other"`);
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await identities()).toMatchObject({ "public.indexed": "d", "public.Other": "d" });
  expect(run.lines).toContainEqual(expect.stringMatching(/public\.indexed .*Indexed by\.id.* gone/));
});

test("a table that somebody publishes stays FULL where its writes would fail otherwise", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await owner("CREATE PUBLICATION theirs FOR TABLE keyless, plain, parted");
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await identities()).toMatchObject({
    "public.keyless": "f",
    "public.plain": "d",
    "public.parted": "d",
    "public.parted_1": "f",
    "far Away.parted_2": "f",
    "public.whole": "f",
  });
  expect(run.lines.join("\n")).toMatch(/public\.keyless stays as it is: .*replica identity/);
  expect(await ownSchemas()).toEqual([]);
  await owner("INSERT INTO keyless VALUES ('x'); UPDATE keyless SET note = 'y'; DELETE FROM parted");
});

test("a table that somebody publishes with a column list keeps its identity, with the reason", async () => {
  await owner("CREATE PUBLICATION theirs FOR TABLE plain (id)");
  const outputs = await replicaIdentity.create(INPUTS, run);
  expect(outputs).toMatchObject({ wanted: 10, done: 9 });
  expect(outputs.pending).toEqual([expect.stringMatching(/^public\.plain: .*column list.*theirs/)]);
  expect((await identities())["public.plain"]).toBe("d");
  expect((await replicaIdentity.read({ ...INPUTS, ...outputs }, run))?.drift).toEqual({});
});

test("tables of other owners are left alone and named", async () => {
  await runSql(db.superuserUri, "CREATE TABLE public.theirs (note text)");
  const outputs = await replicaIdentity.create(INPUTS, run);
  expect(outputs.pending).toEqual([expect.stringMatching(/^public\.theirs: belongs to cloud_admin/)]);
  await runSql(db.superuserUri, "DROP TABLE public.theirs");
});

test("a table that is locked all the time is left pending, the others are done, and the next run finishes", async () => {
  const reader = await connect();
  await reader.query("BEGIN");
  await reader.query("SELECT * FROM plain");
  const outputs = await replicaIdentity.create(INPUTS, run);
  expect(outputs).toMatchObject({
    wanted: 10,
    done: 9,
    pending: ["public.plain: replica identity is not full yet"],
  });
  await reader.query("COMMIT");
  const finished = await replicaIdentity.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(finished).toMatchObject({ wanted: 10, done: 10, pending: [] });

  await reader.query("BEGIN");
  await reader.query("SELECT * FROM plain");
  await expect(replicaIdentity.delete({ ...INPUTS, ...finished }, run)).rejects.toThrow(
    /1 table.*Run destroy again/s,
  );
  await reader.query("COMMIT");
  await replicaIdentity.delete({ ...INPUTS, ...finished }, run);
  expect((await identities())["public.plain"]).toBe("d");
});

test("killed in the middle, it loses no previous identity", async () => {
  const before = await identities();
  const reader = await connect();
  await reader.query("BEGIN");
  await reader.query("SELECT * FROM whole, indexed, plain");
  const interrupted = replicaIdentity.create(INPUTS, run);
  const killed = expect(interrupted).rejects.toThrow(/Run again/);
  await until(async () => (await identities())["public.nothing"] === "f");
  await owner(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pulumi-neon-bemi'`,
  );
  await killed;
  await reader.query("COMMIT");

  const outputs = await replicaIdentity.create(INPUTS, run);
  expect(outputs).toMatchObject({ wanted: 10, done: 10 });
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await identities()).toEqual(before);
});

test("somebody else's schema of that name is not touched", async () => {
  await owner("CREATE SCHEMA _bemi; CREATE TABLE _bemi.mine (note text)");
  await expect(replicaIdentity.create(INPUTS, run)).rejects.toThrow(/"_bemi" exists already.*another name/s);
  expect(await owner("SELECT relreplident FROM pg_class WHERE oid = 'plain'::regclass")).toEqual([
    { relreplident: "d" },
  ]);
});

test("what somebody put into our schema stays", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await owner("CREATE TABLE _bemi.mine (note text)");
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await owner("SELECT relname FROM pg_class WHERE relnamespace = '_bemi'::regnamespace")).toEqual([
    { relname: "mine" },
  ]);
});

test("two trails share a table: it stays FULL until the last has gone, and then gets back what it had", async () => {
  const before = await identities();
  const other = { ...INPUTS, publication: "other" };
  const first = await replicaIdentity.create(INPUTS, run);
  const second = await replicaIdentity.create(other, run);
  await replicaIdentity.delete({ ...INPUTS, ...first }, run);
  expect((await identities())["public.indexed"]).toBe("f");
  await replicaIdentity.delete({ ...other, ...second }, run);
  expect(await identities()).toEqual(before);
});

test("a copied branch takes the record along", async () => {
  const before = await identities();
  await replicaIdentity.create(INPUTS, run);
  const copy = testRun(db, { branchId: "br-copied-sky-654321" });
  const outputs = await replicaIdentity.create(INPUTS, copy);
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, copy);
  await copy.end();
  expect(await identities()).toEqual(before);
});

test("a name in the selection that does not exist is refused before anything is changed", async () => {
  const wrong = { ...INPUTS, schemas: undefined, tables: ["public.plain", "public.nowhere"] };
  await expect(replicaIdentity.create(wrong, run)).rejects.toThrow(/public\.nowhere/);
  expect(await ownSchemas()).toEqual([]);
});

async function owner<Row extends object>(statement: string): Promise<Row[]> {
  return runSql<Row>(db.ownerUri, statement);
}

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: db.ownerUri });
  await client.connect();
  clients.push(client);
  return client;
}

/** `schema.table` -> replica identity, of every table but our own. */
async function identities(): Promise<Record<string, string>> {
  const rows = await owner<{ name: string; identity: string }>(
    `SELECT n.nspname || '.' || c.relname AS name, c.relreplident AS identity
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|_|information_schema)'`,
  );
  return Object.fromEntries(rows.map(({ name, identity }) => [name, identity]));
}

function tracked(all: Record<string, string>): string[] {
  return Object.keys(all).filter((name) => name !== "far Away.bystander");
}

async function ownSchemas(): Promise<object[]> {
  return owner("SELECT nspname FROM pg_namespace WHERE nspname ~ '^_'");
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("it did not come to that");
}
