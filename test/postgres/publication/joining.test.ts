import { setTimeout as sleep } from "node:timers/promises";
import { changeMembers, dropPublication } from "../../../provider/postgres/publication/statement";
import {
  ownerWhoMakesRoles,
  runSql,
  testDatabase,
  withClient,
  type TestDatabase,
} from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { Trail } from "../../support/trail";

// Up to PostgreSQL 14, the server lets a table join a publication that somebody drops at the same time.
describe.each([14, 17] as const)(
  "PostgreSQL %i: a table is added while the publication is dropped",
  (version) => {
    let db: TestDatabase;
    beforeAll(async () => {
      db = await testDatabase({ version, profile: "neon", owner: ownerWhoMakesRoles(version) });
    });
    afterEach(() => db.clear());
    afterAll(() => db.close());

    test("a destroy leaves the table of an open migration as it was made", async () => {
      await runSql(db.ownerUri, "CREATE TABLE orders (id int)");
      const trail = new Trail(() => testRun(db));
      await trail.up({ ...TARGET, schemas: ["public"] });
      const migration = await db.connect();
      await migration.query("BEGIN; CREATE TABLE late (id int)");
      const destroyed = trail.destroy();
      await sleep(1_000);
      await migration.query("COMMIT");
      await destroyed;
      expect(await listed()).toEqual([]);
      await migration.query("UPDATE late SET id = 1; DROP TABLE late");
    });

    test("no table stays in a dropped publication, even if a killed process added it", async () => {
      await runSql(
        db.ownerUri,
        "DO $$ BEGIN FOR i IN 1 .. 1500 LOOP EXECUTE format('CREATE TABLE many_%s (id int)', i); END LOOP; END $$",
      );
      const tables = await runSql<{ oid: number }>(
        db.ownerUri,
        "SELECT oid::int FROM pg_class WHERE relname ~ '^many_'",
      );
      const order = { publication: "joined", action: "ADD", tables: tables.map(({ oid }) => oid) } as const;
      for (let round = 0; round < 3; round++) {
        await runSql(db.ownerUri, "CREATE PUBLICATION joined");
        const [adds, drops] = [testRun(db), testRun(db)];
        const adding = adds.session((session) => changeMembers(session, order));
        while ((await listed()).length === 0) await sleep(1);
        await drops.session(async (session) => {
          const { publications } = await session.catalog();
          for (const publication of publications) await dropPublication(session, publication);
        });
        await adding;
        await Promise.all([adds.end(), drops.end()]);
        expect(await listed()).toEqual([]);
      }
    });

    test("no role but the owner can keep the publication from being dropped", async () => {
      await runSql(db.superuserUri, "CREATE ROLE stranger LOGIN");
      await runSql(db.ownerUri, "CREATE PUBLICATION joined");
      await withClient(db.superuserUri, async (stranger) => {
        await stranger.query("SET SESSION AUTHORIZATION stranger");
        await stranger.query(
          "SELECT pg_advisory_lock(hashtext('pulumi-neon-bemi publication'), oid::int4) FROM pg_publication",
        );
        await expect(stranger.query("COMMENT ON PUBLICATION joined IS NULL")).rejects.toThrow(
          /must be owner/,
        );
        const run = testRun(db);
        await run.session((session) => dropPublication(session, { name: "joined" }));
        await run.end();
      });
      expect(await runSql(db.ownerUri, "SELECT FROM pg_publication")).toEqual([]);
    });

    function listed(): Promise<object[]> {
      return runSql(
        db.superuserUri,
        "SELECT prrelid::regclass::text AS table FROM pg_publication_rel LIMIT 3",
      );
    }
  },
);
