import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";
import { change, down, identityInputs, publicationInputs, up } from "../../support/stack";
import { until } from "../../support/until";

const EVERYTHING = { allTables: true } as const;
const PUBLIC = { schemas: ["public"] };

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase({ profile: "neon" });
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await db.sql("CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE keyless (note text)");
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

test("publishes all tables where no write would fail, and leaves no trace on destroy", async () => {
  const stack = await up(run, EVERYTHING);
  expect(stack.publication).toMatchObject({ form: "all tables", wanted: 2, done: 2 });
  expect(await form()).toEqual({ bemi: true });
  await db.sql("CREATE TABLE late (note text); INSERT INTO late VALUES ('a'); UPDATE late SET note = 'b'");
  await run.end();
  const observed = await publication.read(stack.publication, run);
  expect(observed).toMatchObject({ drift: {}, outputs: { wanted: 3, done: 3 } });

  await down(run, stack);
  expect(await form()).toEqual({});
  expect(
    await db.sql("SELECT FROM pg_class WHERE relkind = 'r' AND oid > 16384 AND relreplident <> 'd'"),
  ).toEqual([]);
});

test("keeps a list as long as writes of one table would fail", async () => {
  await db.sql("CREATE PUBLICATION theirs FOR TABLE keyless (note) WITH (publish = 'insert, delete')");
  const stack = await up(run, EVERYTHING);
  expect(stack.publication).toMatchObject({ form: "table list", wanted: 2, done: 1 });
  expect(stack.publication.pending).toEqual([expect.stringMatching(/^public\.keyless: .*column list/)]);
  await db.sql("DROP PUBLICATION theirs");
  await run.end();
  const next = await change(run, stack, EVERYTHING);
  expect(next.publication).toMatchObject({ form: "all tables", done: 2 });
});

test("keeps a list without event triggers, which set the identity of new tables", async () => {
  const stack = await up(run, { ...EVERYTHING, trackNewTables: false });
  expect(stack.publication.form).toBe("table list");
});

test("changes its form under the same name while a transaction is open", async () => {
  const stack = await up(run, PUBLIC);
  const [before] = await db.sql<{ oid: number }>("SELECT oid FROM pg_publication");
  const writer = await db.connect();
  await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
  const ended = new Promise((resolve) => setTimeout(resolve, 300)).then(() => writer.query("COMMIT"));
  const all = await change(run, stack, EVERYTHING);
  await ended;
  expect(all.publication).toMatchObject({ form: "all tables", created: true, done: 2 });
  expect(await form()).toEqual({ bemi: true });
  const [after] = await db.sql<{ oid: number }>("SELECT oid FROM pg_publication");
  expect(after?.oid).not.toBe(before?.oid);

  const list = await change(run, all, { ...EVERYTHING, excludeTables: ["public.keyless"] });
  expect(list.publication).toMatchObject({ form: "table list", wanted: 1, done: 1 });
  expect(await form()).toEqual({ bemi: false });
  expect(await db.sql("SELECT relreplident FROM pg_class WHERE relname = 'keyless'")).toEqual([
    { relreplident: "d" },
  ]);
  await publication.delete(list.publication, run);
});

test("keeps its form while an older transaction writes; the next up changes it", async () => {
  const stack = await up(run, PUBLIC);
  const writer = await db.connect();
  await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
  const held = await change(run, stack, EVERYTHING);
  expect(held.publication.form).toBe("table list");
  expect(await form()).toEqual({ bemi: false, bemi_new: true });
  expect(run.lines.join("\n")).toMatch(/keeps its form until the next up/);
  await writer.query("COMMIT");

  await run.end();
  const observed = await publication.read(held.publication, run);
  expect(observed?.drift).toEqual({ unfinishedChange: "bemi_new" });
  const finished = await change(run, held, EVERYTHING);
  expect(finished.publication.form).toBe("all tables");
  expect(await form()).toEqual({ bemi: true });
});

test("drops on destroy what an interrupted change of form left", async () => {
  const stack = await up(run, PUBLIC);
  const writer = await db.connect();
  await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
  const held = await change(run, stack, EVERYTHING);
  await writer.query("COMMIT");
  await run.end();
  await publication.delete(held.publication, run);
  expect(await form()).toEqual({});
});

test("lists tables created during a change of form before the renaming", async () => {
  const stack = await up(run, EVERYTHING);
  const early = await db.connect();
  await early.query("BEGIN; CREATE TABLE early (note text)");
  const changing = change(run, stack, PUBLIC);
  await until(async () => "bemi_new" in (await form()));
  await db.sql("CREATE TABLE meanwhile (note text)");
  await early.query("COMMIT");
  await changing;
  expect(await form()).toEqual({ bemi: false });
  // What a row was written by says which came first: the members, or the name.
  const listed = await db.sql<{ relname: string; before: boolean }>(
    `SELECT c.relname, r.xmin::text::int8 < p.xmin::text::int8 AS before
       FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid JOIN pg_class c ON c.oid = r.prrelid
      ORDER BY 1`,
  );
  expect(listed).toEqual(
    ["early", "keyless", "meanwhile", "plain"].map((relname) => ({ relname, before: true })),
  );
});

test.each([
  ["all tables", EVERYTHING, "SELECT", "CREATE TABLE late (id int)"],
  [
    "a partitioned table without key",
    PUBLIC,
    // As an earlier release did, or somebody by hand.
    "ALTER PUBLICATION bemi ADD TABLE ONLY parted",
    "CREATE TABLE late PARTITION OF parted DEFAULT",
  ],
])("keeps the event triggers while the publication needs them: %s", async (_, selection, prepare, create) => {
  await db.sql("CREATE TABLE parted (id int) PARTITION BY LIST (id)");
  const stack = await up(run, selection);
  await db.sql(prepare);
  await run.end();
  const off = { ...selection, trackNewTables: false };
  const [identityOff, publicationOff] = [identityInputs(off), publicationInputs(off)];
  const identity = await replicaIdentity.update(stack.identity, identityOff, run);
  // Between the two resources.
  await db.sql(`${create}; INSERT INTO late VALUES (1); UPDATE late SET id = 2`);
  const published = await publication.update(stack.publication, publicationOff, run);
  expect(await db.eventTriggers()).toEqual([]);
  expect(await form()).toEqual({ bemi: false });
  await run.end();
  const read = await Promise.all([
    replicaIdentity.read({ ...identityOff, ...identity }, run),
    publication.read({ ...publicationOff, ...published }, run),
  ]);
  expect(read.map((observed) => observed?.drift)).toEqual([{}, {}]);
});

test("takes out schemas that somebody added", async () => {
  const stack = await up(run, PUBLIC);
  await runSql(db.superuserUri, "ALTER PUBLICATION bemi ADD TABLES IN SCHEMA public");
  await run.end();
  expect((await publication.read(stack.publication, run))?.drift).toEqual({ publishedSchemas: "public" });
  await change(run, stack, PUBLIC);
  await run.end();
  expect((await publication.read(stack.publication, run))?.drift).toEqual({});
});

/** Publications, and whether they are for all tables. */
async function form(): Promise<Record<string, boolean>> {
  const found = await db.sql<{ pubname: string; puballtables: boolean }>(
    "SELECT pubname, puballtables FROM pg_publication",
  );
  return Object.fromEntries(found.map(({ pubname, puballtables }) => [pubname, puballtables]));
}
