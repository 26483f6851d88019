import { publication } from "../../../provider/postgres/publication/publication";
import { has, testWith } from "../../support/features";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";
import { refusal } from "../../support/refusal";
import { down, publicationInputs, up } from "../../support/stack";
import { BASIC_TABLES, FAMILIES, identities, LISTED, members } from "../../support/tables";
import type * as support from "../../support/shortPatience";

// The tests wait until the module gives up on others: here it does so after two seconds instead of ten.
jest.mock("../../../provider/postgres/sql/lockPolicy", () =>
  jest.requireActual<typeof support>("../../support/shortPatience").shortPatience(),
);

const PUBLIC = { schemas: ["public"] };
const INPUTS = publicationInputs(PUBLIC);

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

test("names changes made by hand, and mends them", async () => {
  const stack = await up(run, PUBLIC);
  await db.sql(`
    ALTER PUBLICATION bemi SET (publish = 'insert', publish_via_partition_root = true);
    ALTER PUBLICATION bemi DROP TABLE plain, keyless;
    ALTER PUBLICATION bemi ADD TABLE ONLY far.child;
    ${has("row filters") ? "ALTER PUBLICATION bemi ADD TABLE keyless WHERE (note = 'x')" : ""}`);
  await run.end();
  expect((await publication.read(stack.publication, run))?.drift).toEqual({
    ...(has("row filters")
      ? { notPublished: "public.plain", publishedInPart: "public.keyless" }
      : { notPublished: "public.keyless, public.plain" }),
    notTracked: "far.child",
    publicationOptions: "publish = 'insert', publish_via_partition_root = true",
  });
  await publication.update(stack.publication, INPUTS, run);
  await run.end();
  expect((await publication.read(stack.publication, run))?.drift).toEqual({});
  expect(await members(db)).toEqual(LISTED);
});

test("reads a dropped publication as gone, and makes it again", async () => {
  const stack = await up(run, PUBLIC);
  await db.sql("DROP PUBLICATION bemi");
  await run.end();
  expect(await publication.read(stack.publication, run)).toBeUndefined();
  await publication.delete(stack.publication, run);
  expect((await publication.create(INPUTS, run)).done).toBe(8);
});

test("refuses a foreign publication, or adopts it and gives it back as it was", async () => {
  await db.sql(`ALTER TABLE keyless REPLICA IDENTITY FULL; CREATE SCHEMA apart; CREATE TABLE apart.theirs (id int PRIMARY KEY);
    CREATE PUBLICATION bemi FOR TABLE keyless, apart.theirs WITH (publish = 'insert, update');
    COMMENT ON PUBLICATION bemi IS 'made by hand'`);
  const before = await describePublication();
  await expect(publication.create(INPUTS, run)).rejects.toThrow(/"bemi" exists already.*Set adopt/s);
  expect(await describePublication()).toEqual(before);

  const stack = await up(run, PUBLIC, true);
  expect(stack.publication).toMatchObject({ created: false, done: 8 });
  expect(await members(db)).toEqual(LISTED);
  await run.end();
  const again = await publication.update(stack.publication, publicationInputs(PUBLIC, true), run);
  expect(again.created).toBe(false);

  // A destroy that could not take a table out must not pass the publication off as what it was before.
  const holder = await db.connect();
  await holder.query("BEGIN; LOCK TABLE plain IN SHARE UPDATE EXCLUSIVE MODE");
  expect(await refusal(down(run, stack))).toMatch(
    /bemi could not be given back .*: public\.plain\. Held by session \d+ .*Run destroy again/,
  );
  await holder.query("COMMIT");
  await down(run, stack);
  expect(await describePublication()).toEqual(before);
  expect(await identities(db)).toMatchObject({ "public.keyless": "f", "public.plain": "d" });
  expect(run.lines.join("\n")).toMatch(/bemi stays, as it was/);
});

testWith("column lists")("refuses to adopt a publication of some columns or rows", async () => {
  await db.sql("CREATE PUBLICATION bemi FOR TABLE plain (id)");
  await expect(publication.create(publicationInputs(PUBLIC, true), run)).rejects.toThrow(
    /only some columns or rows of public\.plain/,
  );
});

test("keeps a publication on destroy that somebody made again under its name", async () => {
  const stack = await up(run, PUBLIC);
  await db.sql("DROP PUBLICATION bemi; CREATE PUBLICATION bemi FOR TABLE plain");
  await run.end();
  expect((await publication.read(stack.publication, run))?.drift).toMatchObject({
    publicationOwner: "made again by somebody else",
  });
  await publication.delete(stack.publication, run);
  expect(await members(db)).toEqual(["public.plain"]);
});

async function describePublication(): Promise<object> {
  const options = await db.sql(
    `SELECT to_jsonb(p) AS p, obj_description(p.oid, 'pg_publication') AS comment FROM pg_publication p WHERE pubname = 'bemi'`,
  );
  return { options, members: await members(db) };
}
