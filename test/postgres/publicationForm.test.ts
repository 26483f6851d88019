import { Client } from "pg";
import type { PublicationInputs, ReplicaIdentityInputs } from "../../provider/inputs";
import { publication } from "../../provider/postgres/publication";
import { replicaIdentity } from "../../provider/postgres/replicaIdentity";
import { runSql, testDatabase, type TestDatabase } from "../support/postgres";
import { TARGET, testRun, type TestRun } from "../support/session";

const SHARED = { ...TARGET, trackNewTables: true, managedBy: "shop/production/orders" };
const EVERYTHING = { ...SHARED, allTables: true as const };
const LISTED = { ...SHARED, schemas: ["public"] };

let db: TestDatabase;
let run: TestRun;
const clients: Client[] = [];

beforeAll(async () => {
  db = await testDatabase({ profile: "neon" });
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await owner("CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE keyless (note text)");
});
afterEach(async () => {
  await Promise.all([run.end(), ...clients.splice(0).map((client) => client.end())]);
  await owner(`
    DROP SCHEMA IF EXISTS public, _bemi CASCADE;
    CREATE SCHEMA public;
    DROP PUBLICATION IF EXISTS bemi, bemi_new, bemi_old, theirs;`);
});

test("all tables, where it is allowed and no table would lose its writes, and gone without a trace", async () => {
  const state = await up(EVERYTHING);
  expect(state.publication).toMatchObject({ form: "all tables", wanted: 2, done: 2 });
  expect(await form()).toEqual({ bemi: true });
  await owner("CREATE TABLE late (note text); INSERT INTO late VALUES ('a'); UPDATE late SET note = 'b'");
  await run.end();
  const observed = await publication.read(state.publication, run);
  expect(observed).toMatchObject({ drift: {}, outputs: { wanted: 3, done: 3 } });

  await publication.delete(state.publication, run);
  await replicaIdentity.delete(state.identity, run);
  expect(await form()).toEqual({});
  expect(
    await owner("SELECT FROM pg_class WHERE relkind = 'r' AND oid > 16384 AND relreplident <> 'd'"),
  ).toEqual([]);
});

test("all tables stays a list as long as one table would refuse its writes", async () => {
  await owner("CREATE PUBLICATION theirs FOR TABLE keyless (note) WITH (publish = 'insert, delete')");
  const state = await up(EVERYTHING);
  expect(state.publication).toMatchObject({ form: "table list", wanted: 2, done: 1 });
  expect(state.publication.pending).toEqual([expect.stringMatching(/^public\.keyless: .*column list/)]);
  await owner("DROP PUBLICATION theirs");
  await run.end();
  const next = await update(state, EVERYTHING);
  expect(next.publication).toMatchObject({ form: "all tables", done: 2 });
});

test("without the event triggers all tables is a list: it would publish new tables before their identity is set", async () => {
  const state = await up({ ...EVERYTHING, trackNewTables: false });
  expect(state.publication.form).toBe("table list");
});

test("changes its form under the same name, with options and mark, while a transaction comes and goes", async () => {
  const state = await up(LISTED);
  const [before] = await owner<{ oid: number }>("SELECT oid FROM pg_publication");
  const writer = await connect();
  await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
  const ended = new Promise((resolve) => setTimeout(resolve, 300)).then(() => writer.query("COMMIT"));
  const all = await update(state, EVERYTHING);
  await ended;
  expect(all.publication).toMatchObject({ form: "all tables", created: true, done: 2 });
  expect(await form()).toEqual({ bemi: true });
  const [after] = await owner<{ oid: number }>("SELECT oid FROM pg_publication");
  expect(after?.oid).not.toBe(before?.oid);

  const list = await update(all, { ...EVERYTHING, excludeTables: ["public.keyless"] });
  expect(list.publication).toMatchObject({ form: "table list", wanted: 1, done: 1 });
  expect(await form()).toEqual({ bemi: false });
  expect(await owner("SELECT relreplident FROM pg_class WHERE relname = 'keyless'")).toEqual([
    { relreplident: "d" },
  ]);
  await publication.delete(list.publication, run);
});

test("what an older transaction holds up leaves the old form in force; the next up finishes it", async () => {
  const state = await up(LISTED);
  const writer = await connect();
  await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
  const held = await update(state, EVERYTHING);
  expect(held.publication.form).toBe("table list");
  expect(await form()).toEqual({ bemi: false, bemi_new: true });
  expect(run.lines.join("\n")).toMatch(/keeps its form until the next up/);
  await writer.query("COMMIT");

  await run.end();
  const observed = await publication.read(held.publication, run);
  expect(observed?.drift).toEqual({ "unfinished change": "bemi_new" });
  const finished = await update(held, EVERYTHING);
  expect(finished.publication.form).toBe("all tables");
  expect(await form()).toEqual({ bemi: true });
});

test("destroy takes what an interrupted change left behind along", async () => {
  const state = await up(LISTED);
  const writer = await connect();
  await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
  const held = await update(state, EVERYTHING);
  await writer.query("COMMIT");
  await run.end();
  await publication.delete(held.publication, run);
  expect(await form()).toEqual({});
});

test("schemas that somebody adds to the list are taken out of it", async () => {
  const state = await up(LISTED);
  await owner("ALTER PUBLICATION bemi ADD TABLES IN SCHEMA public");
  await run.end();
  expect((await publication.read(state.publication, run))?.drift).toEqual({ schemas: "public" });
  await update(state, LISTED);
  await run.end();
  expect((await publication.read(state.publication, run))?.drift).toEqual({});
});

type Selection = Omit<ReplicaIdentityInputs, "publication">;

async function up(selection: Selection) {
  const wanted = { ...selection, publication: "bemi" };
  const inputs: PublicationInputs = { ...selection, name: "bemi", adopt: false };
  const identity = { ...wanted, ...(await replicaIdentity.create(wanted, run)) };
  return { identity, publication: { ...inputs, ...(await publication.create(inputs, run)) } };
}

async function update(state: Awaited<ReturnType<typeof up>>, selection: Selection) {
  const wanted = { ...selection, publication: "bemi" };
  const inputs: PublicationInputs = { ...selection, name: "bemi", adopt: false };
  const identity = { ...wanted, ...(await replicaIdentity.update(state.identity, wanted, run)) };
  return {
    identity,
    publication: { ...inputs, ...(await publication.update(state.publication, inputs, run)) },
  };
}

async function owner<Row extends object>(statement: string): Promise<Row[]> {
  return runSql<Row>(db.ownerUri, statement);
}

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: db.ownerUri });
  await client.connect();
  clients.push(client);
  return client;
}

/** Publications, and whether they are for all tables. */
async function form(): Promise<Record<string, boolean>> {
  const found = await owner<{ pubname: string; puballtables: boolean }>(
    "SELECT pubname, puballtables FROM pg_publication",
  );
  return Object.fromEntries(found.map(({ pubname, puballtables }) => [pubname, puballtables]));
}
