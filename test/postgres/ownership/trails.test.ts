import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { catalogState, differences } from "../../support/catalogState";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";
import { identityInputs, publicationInputs, up } from "../../support/stack";
import { members } from "../../support/tables";

const PUBLIC = { schemas: ["public"] };
const PUBLISHED = publicationInputs(PUBLIC);
const IDENTITY = identityInputs(PUBLIC);
const RENAMED = { managedBy: "store/live/audit" };
const LEFT = /exists with this trail's mark and is taken over: an up that was interrupted or a stack/;

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
  await db.sql("CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE notes (note text)");
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

async function comments(): Promise<string[]> {
  const rows = await db.sql<{ comment: string }>(
    `SELECT obj_description(oid, 'pg_publication') AS comment FROM pg_publication
     UNION ALL SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = '_bemi'`,
  );
  return rows.map(({ comment }) => comment);
}

test("a renamed stack has no drift, its next update renews the marks, and destroy removes everything", async () => {
  const before = await catalogState(db, "neondb");
  const stack = await up(run, PUBLIC);
  const { ownershipId } = stack.publication;
  expect(ownershipId).toMatch(/^[0-9a-f]{16}$/);
  await run.end();
  const published = { ...stack.publication, ...RENAMED };
  const identity = { ...stack.identity, ...RENAMED };
  expect(await publication.read(published, run)).toMatchObject({ drift: {}, outputs: { ownershipId } });
  expect((await replicaIdentity.read(identity, run))?.drift).toEqual({});

  const outputs = await publication.update(stack.publication, { ...PUBLISHED, ...RENAMED }, run);
  expect(outputs.ownershipId).toBe(ownershipId);
  await replicaIdentity.update(stack.identity, { ...IDENTITY, ...RENAMED }, run);
  for (const comment of await comments()) expect(comment).toContain("store/live/audit");

  await publication.delete({ ...published, managedBy: "again/renamed/since" }, run);
  await replicaIdentity.delete({ ...identity, managedBy: "again/renamed/since" }, run);
  expect(differences(before, await catalogState(db, "neondb"))).toEqual([]);
});

test("after a restore gave the branch a new id, even a renamed stack keeps its objects", async () => {
  const stack = await up(run, PUBLIC);
  const restored = testRun(db, { branchId: "br-restored-sea-1" });
  const published = { ...stack.publication, ...RENAMED };
  expect((await publication.read(published, restored))?.drift).toEqual({});
  const outputs = await publication.update(published, { ...PUBLISHED, ...RENAMED }, restored);
  expect(outputs).toMatchObject({ created: true, ownershipId: stack.publication.ownershipId });
  await publication.delete({ ...published, ...outputs }, restored);
  await replicaIdentity.delete({ ...stack.identity, ...RENAMED }, restored);
  await restored.end();
  expect(await db.sql("SELECT FROM pg_publication")).toEqual([]);
});

test("a create without a state continues with the id of the interrupted one, and the preview says so", async () => {
  const stack = await up(run, PUBLIC);
  await run.end();
  const looking = testRun(db);
  const planned = {
    identity: await replicaIdentity.plan(IDENTITY, looking),
    publication: await publication.plan(PUBLISHED, looking),
  };
  await looking.end();
  expect(planned.identity.changes).toContainEqual(expect.stringMatching(LEFT));
  expect(planned.publication.changes).toContainEqual(expect.stringMatching(LEFT));
  expect(planned.publication.outputs.ownershipId).toBe(stack.publication.ownershipId);
  const again = await up(run, PUBLIC);
  expect(again.identity.ownershipId).toBe(stack.identity.ownershipId);
  expect(again.publication).toEqual(stack.publication);
});

test("another trail's publication is neither changed nor adopted, and the message says whose it is", async () => {
  await up(run, PUBLIC);
  await run.end();
  const before = await catalogState(db, "neondb");
  const words =
    /Publication "bemi" exists already and was made by shop\/production\/orders .*COMMENT ON Publication "bemi" IS NULL/;
  for (const adopt of [false, true]) {
    const others = { ...PUBLISHED, ...RENAMED, adopt };
    await expect(publication.plan(others, run)).rejects.toThrow(words);
    await expect(publication.create(others, run)).rejects.toThrow(words);
  }
  await expect(replicaIdentity.create({ ...IDENTITY, ...RENAMED }, run)).rejects.toThrow(
    /record in schema _bemi has a claim for publication "bemi" already, which was made by shop\/production\/orders/,
  );
  await expect(
    replicaIdentity.create({ ...IDENTITY, managedBy: "shop/production/audit" }, run),
  ).rejects.toThrow(
    /only renamed in the program, .* \{ aliases: \[\{ name: "orders" \}\] \}\. Otherwise give the publication another name/,
  );
  expect(differences(before, await catalogState(db, "neondb"))).toEqual([]);

  // The way out that the message names.
  await db.sql("COMMENT ON PUBLICATION bemi IS NULL");
  await run.end();
  const adopted = await publication.create({ ...PUBLISHED, ...RENAMED, adopt: true }, run);
  expect(adopted).toMatchObject({ created: false, done: 2 });
});

test("a stack of the same names in another backend does not pass for this one", async () => {
  const stack = await up(run, PUBLIC);
  await run.end();
  const elsewhere = { ...stack.publication, ownershipId: "00000000deadbeef" };
  expect((await publication.read(elsewhere, run))?.drift).toEqual({
    publicationOwner: "made again by somebody else",
  });
  await expect(publication.update(elsewhere, { ...PUBLISHED, adopt: true }, run)).rejects.toThrow(
    /another stack of the same name/,
  );
  await publication.delete(elsewhere, run);
  await replicaIdentity.delete({ ...stack.identity, ownershipId: "00000000deadbeef" }, run);
  expect(await members(db)).toEqual(["public.notes", "public.orders"]);
});

test("the publication of a copied branch is adopted, with an id of its own", async () => {
  const stack = await up(run, PUBLIC);
  const copy = testRun(db, { branchId: "br-copied-sky-654321" });
  const inputs = { ...PUBLISHED, ...RENAMED };
  await expect(publication.create(inputs, copy)).rejects.toThrow(/came with the branch.*Set adopt/s);
  const outputs = await publication.create({ ...inputs, adopt: true }, copy);
  await copy.end();
  expect(outputs.ownershipId).toMatch(/^[0-9a-f]{16}$/);
  expect(outputs.ownershipId).not.toBe(stack.publication.ownershipId);
});

test("on a branch whose copies were adopted by a stack that is gone, the preview says that it may have left them", async () => {
  await up(run, PUBLIC);
  const copy = testRun(db, { branchId: "br-copied-sky-654321" });
  const adopting = { ...PUBLISHED, adopt: true };
  const { ownershipId } = await publication.create(adopting, copy);
  await copy.end();
  const { changes, outputs } = await publication.plan(adopting, copy);
  await copy.end();
  expect(changes).toContainEqual(
    expect.stringMatching(
      /exists with this trail's mark and is taken over: .*a stack that had adopted it left it/,
    ),
  );
  expect(outputs.ownershipId).toBe(ownershipId);
});
