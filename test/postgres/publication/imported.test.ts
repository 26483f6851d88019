import { publicationInputs as contract } from "../../../provider/contract/kinds/publication";
import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { DEFAULT_VERSION, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, type TestRun } from "../../support/run";

const ID = "cool-darkness-123456/main/neondb/bemi";

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
  await db.sql(`CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE notes (note text);
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY LIST (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)`);
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

test.each([
  ["FOR TABLE orders, notes", { tables: ["public.notes", "public.orders"] }],
  ["FOR TABLE orders, notes, parted", { schemas: ["public"] }],
  ["FOR TABLE parted", { tables: ["public.parted"] }],
  ["FOR ALL TABLES", { allTables: true }],
  ["FOR TABLES IN SCHEMA public", { schemas: ["public"] }],
  ["", { schemas: ["public"] }],
])("a publication made by hand %s is found as a program would write it", async (form, selection) => {
  await db.sql(`CREATE PUBLICATION bemi ${form}`);
  const found = await publication.find?.(ID, run);
  expect(found?.inputs).toEqual({ ...TARGET, name: "bemi", adopt: true, ...selection });
  const { adopt, name, ...target } = found?.inputs ?? {};
  expect((await replicaIdentity.find?.(ID, run))?.inputs).toEqual({ ...target, publication: name });
  expect(adopt).toBe(true);
});

test("an imported publication is adopted by the next up, and its preview names what that changes", async () => {
  await db.sql("ALTER TABLE notes REPLICA IDENTITY FULL; CREATE PUBLICATION bemi FOR TABLE orders, notes");
  const found = await publication.find?.(ID, run);
  const inputs = contract.parse({ ...found?.inputs, managedBy: "shop/production/orders" });
  const state = { ...inputs, ...found?.outputs };
  const observed = await publication.read(state, run);
  expect(observed).toMatchObject({
    outputs: { wanted: 2, done: 2, created: false },
    drift: { publicationOwner: "not taken over yet" },
  });
  const planned = await publication.plan(inputs, run, { ...state, ...observed?.outputs });
  expect(planned.changes).toEqual([
    "The publication bemi is adopted; destroy gives it back as it is now.",
    ...(DEFAULT_VERSION < 18
      ? []
      : ["Options of the publication bemi are set again: publish_generated_columns."]),
  ]);
  const outputs = await publication.update(state, inputs, run);
  expect((await publication.read({ ...inputs, ...outputs }, run))?.drift).toEqual({});
});

test("the record alone makes replica identities importable", async () => {
  const inputs = {
    ...TARGET,
    publication: "bemi",
    trackNewTables: true,
    managedBy: "shop/production/orders",
  };
  await replicaIdentity.create({ ...inputs, tables: ["public.orders"] }, run);
  expect((await replicaIdentity.find?.(ID, run))?.inputs).toEqual({
    ...TARGET,
    tables: ["public.orders"],
    publication: "bemi",
  });
});

test("what does not exist is not found, and an id of another form is refused with the form", async () => {
  expect(await publication.find?.(ID, run)).toBeUndefined();
  expect(await replicaIdentity.find?.(ID, run)).toBeUndefined();
  for (const id of ["bemi", "neondb/bemi", "cool-darkness-123456/main/neondb/", "a//b/c"]) {
    const looking = async (): Promise<unknown> => publication.find?.(id, run);
    await expect(looking()).rejects.toThrow("Write PROJECT/BRANCH/DATABASE/NAME");
  }
});

test("a branch may have slashes in its name", async () => {
  await db.sql("CREATE PUBLICATION bemi");
  const found = await publication.find?.("cool-darkness-123456/preview/pr-1/neondb/bemi", run);
  expect(found?.inputs).toMatchObject({ branch: "preview/pr-1", database: "neondb" });
});
