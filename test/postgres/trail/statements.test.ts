import { publication, replicaIdentity } from "../../../provider/postgres";
import { guideLifecycle } from "../../support/guide";
import { provideTables, resetTables } from "../../support/manyTables";
import { has } from "../../support/features";
import { ROLE_MADE_BY, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { classUpdates, mostLocks } from "../../support/serverLoad";
import {
  ALL_PUBLIC,
  measuredTrail,
  stateText,
  trailTraffic,
  type TrailTraffic,
} from "../../support/trailLoad";

/** The counts that `npm run bench` prints, at quick sizes: costs must not grow with the number of tables. */
const FEW = 10;
const MANY = 600;

let db: TestDatabase;
const asked = new Map<number, TrailTraffic>();

// With event triggers.
beforeAll(async () => {
  db = await testDatabase({ profile: "neon" });
  for (const tables of [FEW, MANY]) {
    await provideTables(db, tables);
    asked.set(tables, await trailTraffic(db));
  }
});
afterEach(async () => {
  await resetTables(db);
});
afterAll(async () => {
  await db.close();
});

test("up, refresh and destroy send as many statements for any number of tables", () => {
  expect(asked.get(FEW)?.up.statements).toBeGreaterThan(5);
  expect(asked.get(MANY)).toEqual(asked.get(FEW));
});

test("a refresh sends at most five statements; each phase logs in once as each role", () => {
  expect(asked.get(MANY)?.refresh.statements).toBeLessThanOrEqual(5);
  // The role's password is verified by a login only where the module has set it in SQL.
  const ofRole = ROLE_MADE_BY === "sql" ? 1 : 0;
  expect(asked.get(MANY)).toMatchObject({
    up: { logins: 1 + ofRole },
    refresh: { logins: 1 + ofRole },
    destroy: { logins: 1 },
  });
});

test("never locks more than one table at once, in up and destroy", async () => {
  const trail = measuredTrail(db);
  const up = await mostLocks(db, () => trail.up(ALL_PUBLIC));
  const down = await mostLocks(db, () => trail.destroy());
  expect([up.most, down.most]).toEqual([1, 1]);

  // The sampling would see more locks, as it does for the procedure of Neon's guide, which makes a role in SQL.
  if (has("owner that makes Bemi's role in SQL"))
    expect((await mostLocks(db, () => guideLifecycle(db))).most).toBeGreaterThan(1);
});

test("keeps the state under 10 kB and names no table in it", async () => {
  const trail = measuredTrail(db);
  await trail.up(ALL_PUBLIC);
  expect(Buffer.byteLength(stateText(trail))).toBeLessThan(10_000);
  expect(stateText(trail)).not.toMatch(/t0\d{4}/);
  await trail.destroy();
});

test("finds nothing to do right after an up, and the next up updates no pg_class row", async () => {
  const trail = measuredTrail(db);
  await trail.up(ALL_PUBLIC);
  expect(Object.values(await trail.refresh())).toEqual([{}, {}, {}, {}, {}, {}]);
  expect(await classUpdates(db, () => trail.up(ALL_PUBLIC))).toBe(0);
  await trail.destroy();
});

test("updates pg_class at most five times for one new table", async () => {
  const trail = measuredTrail(db);
  const args = { ...ALL_PUBLIC, trackNewTables: false };
  await trail.up(args);
  await runSql(db.ownerUri, "CREATE TABLE public.brand_new (id int, note text)");
  const updates = await classUpdates(db, () => trail.up(args));
  const [row] = await runSql<{ identity: string; published: boolean }>(
    db.superuserUri,
    `SELECT c.relreplident AS identity, EXISTS (SELECT FROM pg_publication_rel WHERE prrelid = c.oid) AS published
       FROM pg_class c WHERE c.oid = 'public.brand_new'::regclass`,
  );
  expect(row).toEqual({ identity: "f", published: true });
  expect(updates).toBeGreaterThanOrEqual(1);
  expect(updates).toBeLessThanOrEqual(5);
  await trail.destroy();
  await runSql(db.ownerUri, "DROP TABLE public.brand_new");
});

test("the event triggers skip the module's own changes, which would take ever longer", async () => {
  const run = testRun(db);
  const wanted = { ...TARGET, schemas: ["public"], trackNewTables: true, managedBy: "shop/dev/orders" };
  const identities = { ...wanted, publication: "bemi" };
  const state = { ...identities, ...(await replicaIdentity.create(identities, run)) };
  await publication.create({ ...wanted, name: "bemi", adopt: false }, run);
  await runSql(
    db.superuserUri,
    `ALTER EVENT TRIGGER _bemi_track DISABLE;
     CREATE TABLE public.unseen (id int);
     ALTER TABLE public.unseen OWNER TO neondb_owner;`,
  );
  const { done, wanted: tables } = await replicaIdentity.update(state, identities, run);
  await run.end();

  expect([done, tables]).toEqual([MANY + 1, MANY + 1]);
  // The event trigger would have added the table.
  expect(
    await runSql(db.superuserUri, "SELECT FROM pg_publication_rel WHERE prrelid = 'public.unseen'::regclass"),
  ).toEqual([]);
  await runSql(db.superuserUri, "DROP TABLE public.unseen");
});
