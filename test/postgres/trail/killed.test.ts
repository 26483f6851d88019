import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import {
  catalogState,
  differences,
  newDatabase,
  removeDatabases,
  uriTo,
  type Fact,
} from "../../support/catalogState";
import type { EngineState } from "../../support/engine";
import { has } from "../../support/features";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { Trail, type TrailArgs } from "../../support/trail";
import { TrailProcesses } from "../../support/trailProcesses";

const SQL = `
  CREATE SCHEMA sales; CREATE ROLE app;
  CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL); CREATE UNIQUE INDEX by_code ON by_index (code);
  ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_code;
  CREATE TABLE by_nothing (id int); ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;
  CREATE TABLE customers (id int PRIMARY KEY);
  CREATE TABLE by_full (id int); ALTER TABLE by_full REPLICA IDENTITY FULL;
  CREATE TABLE sales.deals (id int PRIMARY KEY); CREATE TABLE sales."Odd ""name""" (id int);
  CREATE PUBLICATION theirs FOR TABLE by_full;`;

/** A role that existed before the trail under its name, with settings of its own. */
const ADOPTED_ROLE = `
  CREATE ROLE bemi LOGIN REPLICATION CREATEDB CONNECTION LIMIT 9 PASSWORD 'of-before'; GRANT app TO bemi;
  ALTER ROLE bemi SET work_mem = '8MB'; COMMENT ON ROLE bemi IS 'made by hand';
  GRANT SELECT, INSERT ON customers TO bemi; GRANT USAGE ON SCHEMA sales TO bemi;
  ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO bemi;`;
/** A publication that existed before the trail under its name, beside the role where one can be adopted. */
const ADOPTED = `
  ${has("owner that makes Bemi's role in SQL") ? ADOPTED_ROLE : ""}
  CREATE SCHEMA aside; CREATE TABLE aside.logs (id int PRIMARY KEY);
  CREATE PUBLICATION bemi FOR TABLE customers, by_index, aside.logs
    WITH (publish = 'insert, update', publish_via_partition_root = true);
  COMMENT ON PUBLICATION bemi IS 'made by hand';`;

/*
 * Real processes and a real SIGKILL, after which the server goes on with the statement for a while. `failures.test.ts` has
 * every message of a command, in one process.
 */

let processes: TrailProcesses;

beforeAll(async () => {
  processes = await TrailProcesses.prepare();
});
afterAll(() => processes.close());

describe.each([
  { title: "profile strict", profile: "strict", adopt: false, points: 3, changes: 2 },
  { title: "profile neon", profile: "neon", adopt: false, points: 2, changes: 2 },
  { title: "an adopted role and publication", profile: "strict", adopt: true, points: 3, changes: 2 },
] as const)("$title", ({ profile, adopt, points, changes }) => {
  let db: TestDatabase;
  let database: string;
  let args: TrailArgs;
  let before: Fact[];
  /** The catalog and the state while the trail exists. */
  let tracked: Fact[];
  let known: EngineState;
  const statements = { up: 0, change: 0, destroy: 0 };

  beforeAll(async () => {
    db = await testDatabase({ profile });
    await makeDatabase();
    statements.up = await count("up", {});
    tracked = await facts();
    statements.change = await count("change", known);
    statements.destroy = await count("destroy", known);
    await expectClean();
    await removeDatabases(db);
  });
  beforeEach(makeDatabase);
  afterEach(() => removeDatabases(db));
  afterAll(() => db.close());

  /** Evenly spread over the statements of a command; every other one is answered before the process ends. */
  const at = (work: keyof typeof statements, point: number, of: number = points) => ({
    killAt: 1 + Math.round((point * (statements[work] - 1)) / (of - 1)),
    answered: point % 2 === 0,
  });
  const all = Array.from({ length: points }, (_, index) => index);
  const some = Array.from({ length: changes }, (_, index) => index);

  test.each(all)("the next up continues an up that was killed at point %i", async (point) => {
    const trail = new Trail(() => testRun(db), await killed("up", {}, at("up", point)));
    await trail.up(args);
    await expectTracked();
    await trail.destroy();
    await expectClean();
  });

  test.each(all)(
    "an up killed at point %i: destroy takes back what the state knows, up the rest",
    async (point) => {
      const { killAt, answered } = at("up", point);
      const trail = new Trail(() => testRun(db), await killed("up", {}, { killAt, answered: !answered }));
      await trail.destroy();
      await trail.up(args);
      await expectTracked();
      await trail.destroy();
      await expectClean();
    },
  );

  test.each(all)("the next destroy continues a destroy that was killed at point %i", async (point) => {
    await up();
    await new Trail(() => testRun(db), await killed("destroy", known, at("destroy", point))).destroy();
    await expectClean();
  });

  test.each(all)("an up restores everything after a destroy was killed at point %i", async (point) => {
    await up();
    const { killAt, answered } = at("destroy", point);
    const trail = new Trail(
      () => testRun(db),
      await killed("destroy", known, { killAt, answered: !answered }),
    );
    await trail.up(args);
    await expectTracked();
    await trail.destroy();
    await expectClean();
  });

  test.each(some)(
    "the next up continues a change of the selection that was killed at point %i",
    async (point) => {
      const { killAt, answered } = at("change", point, changes);
      await up();
      const next = new Trail(() => testRun(db), await killed("change", known, { killAt, answered }));
      await next.up(changed());
      expect(next.state["readiness"]?.outputs).toMatchObject({ selected: 3, published: 3 });
      await next.destroy();
      await expectClean();

      await up();
      const left = await killed("change", known, { killAt, answered: !answered });
      await new Trail(() => testRun(db), left).destroy();
      await expectClean();
    },
  );

  test.each(["up", "destroy"] as const)(
    "an up that adds 300 tables, killed in the middle of their identities: %s follows at once",
    async (next) => {
      await runSql(
        uriTo(db.ownerUri, database),
        `CREATE SCHEMA many; DO $$ BEGIN FOR i IN 1 .. 300 LOOP
           EXECUTE format('CREATE TABLE many.many_%s (id int)', i);
           IF i % 3 = 0 THEN EXECUTE format('ALTER TABLE many.many_%s REPLICA IDENTITY NOTHING', i); END IF;
         END LOOP; END $$`,
      );
      before = await facts();
      await up();
      const more = { ...args, schemas: ["public", "sales", "many"] };
      const holder = new Client({ connectionString: uriTo(db.superuserUri, database) });
      await holder.connect();
      await holder.query(
        "BEGIN; LOCK TABLE many.many_100, many.many_150, many.many_200 IN ACCESS SHARE MODE",
      );
      const { ending, state } = await processes.run({ ...order("up"), args: more }, known, async () => {
        while ((await manyFull()) < 297) await sleep(10);
      });
      expect([ending, await manyFull()]).toEqual(["killed", 297]);
      // The server goes on with the statement for up to two seconds: it has not noticed yet.
      const trail = new Trail(() => testRun(db), state);
      const following = next === "up" ? trail.up(more) : trail.destroy();
      if (next === "destroy") while ((await manyFull()) === 297) await sleep(5);
      await holder.query("ROLLBACK");
      await holder.end();
      await following;
      if (next === "up") {
        expect(await manyFull()).toBe(300);
        await trail.destroy();
      }
      await serverIsQuiet();
      await expectClean();
    },
  );

  async function manyFull(): Promise<number> {
    const [row] = await runSql<{ tables: number }>(
      uriTo(db.superuserUri, database),
      "SELECT count(*)::int AS tables FROM pg_class WHERE relname LIKE 'many%' AND relreplident = 'f'",
    );
    return row?.tables ?? -1;
  }

  /** Waits until the server does nothing more for the killed process. */
  async function serverIsQuiet(): Promise<void> {
    const busy = "SELECT FROM pg_stat_activity WHERE application_name = 'pulumi-neon-bemi'";
    while ((await runSql(db.superuserUri, busy)).length > 0) await sleep(50);
  }

  async function makeDatabase(): Promise<void> {
    database = await newDatabase(db, { sql: adopt ? SQL + ADOPTED : SQL });
    args = { ...TARGET, database, schemas: ["public", "sales"], adopt };
    before = await facts();
  }

  /**
   * Without what differs between tests: the name of the database, and in comments the oids that records hold and the
   * random ids of marks.
   */
  async function facts(): Promise<Fact[]> {
    const text = JSON.stringify(await catalogState(db, database));
    const same = text
      .replaceAll(database, "shop")
      .replaceAll(/\b\d{5}\b/g, "0")
      .replaceAll(/(\\+"id\\+":\\+")[0-9a-f]{16}/g, "$1");
    return JSON.parse(same) as Fact[];
  }

  async function count(work: keyof typeof statements, state: EngineState): Promise<number> {
    const { ending, state: left } = await processes.run(order(work), state);
    if (ending === "killed") throw new Error("killed by somebody else");
    known = left;
    return ending;
  }

  function order(work: keyof typeof statements) {
    const { ownerUri, superuserUri, sslRootCert } = db;
    return {
      ownerUri,
      superuserUri,
      sslRootCert,
      work: work === "destroy" ? work : "up",
      args: work === "change" ? changed() : args,
    } as const;
  }

  /** Without one schema, with another table excluded, and with a new password. */
  function changed(): TrailArgs {
    return { ...args, schemas: ["public"], excludeTables: ["public.by_full"], passwordVersion: 2 };
  }

  async function up(): Promise<void> {
    const trail = new Trail(() => testRun(db));
    await trail.up(args);
    known = trail.state;
  }

  async function killed(
    work: keyof typeof statements,
    state: EngineState,
    how: { killAt: number; answered: boolean },
  ): Promise<EngineState> {
    const { ending, state: left } = await processes.run({ ...order(work), ...how }, state);
    expect(ending).toBe("killed");
    return left;
  }

  /** The same as after an undisturbed up, except the password, which every such up sets anew. */
  async function expectTracked(): Promise<void> {
    const found = differences(tracked, await facts());
    expect(found.filter((line) => line !== "role bemi: password")).toEqual([]);
  }

  /** The same as before the up, except an adopted role's password, which cannot be restored. */
  async function expectClean(): Promise<void> {
    const found = differences(before, await facts());
    expect(found.filter((line) => !adopt || line !== "role bemi: password")).toEqual([]);
  }
});
