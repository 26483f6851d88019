import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";
import { change, down, identityInputs, publicationInputs, up } from "../../support/stack";
import { BASIC_TABLES, FAMILIES, identities, LISTED, members } from "../../support/tables";
import type * as support from "../../support/shortPatience";

// The tests wait until the module gives up on others: here it does so after two seconds instead of ten.
jest.mock("../../../provider/postgres/sql/lockPolicy", () =>
  jest.requireActual<typeof support>("../../support/shortPatience").shortPatience(),
);

const PUBLIC = { schemas: ["public"] };
const INPUTS = publicationInputs(PUBLIC);
/** A partition by itself, and the whole that it is a part of. */
const ALONE = { tables: ["public.parted_1", "public.plain"] };
const THROUGH_PARENT = { tables: ["public.parted", "public.plain"] };

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await db.sql(BASIC_TABLES + FAMILIES);
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

test("lists tracked tables, partitions by their parent; leaves no trace on destroy", async () => {
  const stack = await up(run, PUBLIC);
  expect(stack.publication).toMatchObject({
    wanted: 8,
    done: 8,
    pending: [],
    created: true,
  });
  expect(await members(db)).toEqual(LISTED);
  await run.end();
  const observed = await publication.read(stack.publication, run);
  expect(observed?.drift).toEqual({});
  expect({ ...INPUTS, ...observed?.outputs }).toEqual(stack.publication);

  await down(run, stack);
  expect(await db.sql("SELECT FROM pg_publication")).toEqual([]);
  expect(
    await db.sql("SELECT FROM pg_class WHERE relkind IN ('r','p') AND relreplident <> 'd' AND oid >= 16384"),
  ).toEqual([]);
  // Twice is fine.
  await publication.delete(stack.publication, run);
});

test("publishes only tables whose writes pass, and names the others", async () => {
  const selection = { tables: ["public.keyless", "public.plain"] };
  const outputs = await publication.create(publicationInputs(selection), run);
  expect(await members(db)).toEqual([]);
  expect(outputs.pending).toEqual([
    "public.keyless: not published: replica identity is not full yet",
    "public.plain: not published: replica identity is not full yet",
  ]);
  await db.sql("INSERT INTO keyless VALUES ('a'); UPDATE keyless SET note = 'b'");
});

test("changes only what differs, and restores a table after it has left", async () => {
  const stack = await up(run, PUBLIC);
  const before = await rows();
  await db.sql("ALTER TABLE plain RENAME TO renamed; CREATE TABLE added (note text)");
  await run.end();
  await change(run, stack, { ...PUBLIC, excludeTables: ["public.keyless", "public.parted"] });
  const after = await rows();
  const listed = (await members(db)).join(" ");
  expect(listed).toContain("public.added");
  expect(listed).toContain("public.renamed");
  expect(listed).not.toMatch(/keyless|parted/);
  // Rows of tables that stayed have not been touched.
  const kept = before.filter(({ oid }) => after.some((row) => row.oid === oid));
  expect(kept).toHaveLength(4);
  expect(await identities(db)).toMatchObject({
    "public.keyless": "d",
    "public.parted": "d",
    "public.parted_1": "d",
    "far.parted_2": "d",
    "public.renamed": "f",
    "public.added": "f",
  });
});

test("moves a partition from the list to its parent and back", async () => {
  const alone = await up(run, ALONE);
  expect(await members(db)).toEqual(ALONE.tables);
  const through = await change(run, alone, THROUGH_PARENT);
  expect(await members(db)).toEqual(THROUGH_PARENT.tables);
  expect(await identities(db)).toMatchObject({ "public.parted_1": "f" });
  await change(run, through, ALONE);
  expect(await members(db)).toEqual(ALONE.tables);
  expect(await identities(db)).toMatchObject({ "public.parted": "d", "public.parted_1": "f" });
});

test("waits for older writers before a table leaves; the next up does what is late", async () => {
  const alone = await up(run, ALONE);
  const writer = await db.connect();
  await writer.query("BEGIN; INSERT INTO keyless VALUES ('x')");
  // As an interrupted change of form leaves it.
  await db.sql(`CREATE PUBLICATION bemi_old; DO $$ BEGIN EXECUTE format('COMMENT ON PUBLICATION bemi_old IS %L',
    (SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = 'bemi')); END $$`);
  await run.end();
  const both = await change(run, alone, THROUGH_PARENT);
  expect(await members(db)).toEqual(["public.parted", "public.parted_1", "public.plain"]);
  const held = "an older transaction is still writing. Held by session ";
  expect(run.lines.slice(-2)).toEqual([
    expect.stringContaining(`The publication bemi_old stays until the next up: ${held}`),
    expect.stringContaining(`Tables that leave the publication bemi do so with the next up: ${held}`),
  ]);
  await writer.query("COMMIT");
  await run.end();
  expect((await publication.read(both.publication, run))?.drift).toEqual({
    notTracked: "public.parted_1",
    unfinishedChange: "bemi_old",
  });
  await publication.update(both.publication, publicationInputs(THROUGH_PARENT), run);
  expect(await members(db)).toEqual(THROUGH_PARENT.tables);
});

test("continues an interrupted create", async () => {
  await replicaIdentity.create(identityInputs(PUBLIC), run);
  const once = testRun(db, {
    checkpoint: () => {
      throw new Error("the engine is gone");
    },
  });
  await expect(publication.create(INPUTS, once)).rejects.toThrow("the engine is gone");
  await Promise.all([once.end(), run.end()]);
  expect(await members(db)).toEqual([]);
  expect(await publication.create(INPUTS, run)).toMatchObject({ done: 8, created: true });
});

test("adds all other tables while one is under VACUUM", async () => {
  await replicaIdentity.create(identityInputs(PUBLIC), run);
  const holder = await db.connect();
  await holder.query("BEGIN; LOCK TABLE keyless IN SHARE UPDATE EXCLUSIVE MODE");
  const outputs = await publication.create(INPUTS, run);
  expect(outputs).toMatchObject({ wanted: 8, done: 7 });
  expect(outputs.pending).toEqual([expect.stringMatching(/^public\.keyless: not published: .*locked/)]);
  expect(run.lines).toContainEqual(
    expect.stringMatching(
      /^public\.keyless: locked by other transactions, so not added to the publication bemi\. Held by session \d+ \(role neondb_owner,.* last statement BEGIN\)\. Wait/,
    ),
  );
  await holder.query("COMMIT");
  const finished = await publication.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(finished).toMatchObject({ done: 8, pending: [] });
});

test("lists every table of the database for allTables", async () => {
  const stack = await up(run, { allTables: true });
  expect(stack.publication).toMatchObject({ wanted: 9, done: 9 });
  expect(await members(db)).toEqual([...LISTED, "far.child"].sort());
});

async function rows(): Promise<{ oid: number }[]> {
  return db.sql("SELECT oid FROM pg_publication_rel");
}
