import { logicalReplication } from "../../../provider/neon";
import { startSandbox, type Sandbox } from "../../../sandbox";
import { catalogState, differences, removeDatabases } from "../../support/catalogState";
import { ownerWhoMakesRoles, testDatabase, type TestDatabase } from "../../support/postgres";
import { roundTrip, trackedTables, type Start } from "../../support/roundTrip";
import { liveRun } from "../../support/run";
import { Trail } from "../../support/trail";

/** Identities of all kinds, partitions, unusual names: what is likely to differ between versions. */
const MIXED: Start = {
  sql: `CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL); CREATE UNIQUE INDEX by_code ON by_index (code);
        ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_code;
        CREATE TABLE by_nothing (id int); ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;
        CREATE TABLE by_full (id int); ALTER TABLE by_full REPLICA IDENTITY FULL;
        CREATE TABLE "Key ""less"".🛒" (id int);
        CREATE TABLE measured (day date NOT NULL) PARTITION BY RANGE (day);
        CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE summed (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
        CREATE PUBLICATION theirs FOR TABLE by_full;`,
  superuserSql: "CREATE ROLE app; GRANT ALL ON SCHEMA public TO app",
};

const PROFILES = [
  { version: 14, profile: "neon" },
  { version: 15, profile: "neon" },
  { version: 16, profile: "strict" },
  { version: 17, profile: "neon" },
  { version: 18, profile: "neon" },
  { version: 18, profile: "strict" },
] as const;

describe.each(PROFILES)("PostgreSQL $version, profile $profile", ({ version, profile }) => {
  const newTables = profile === "neon" ? "event trigger" : "next up";
  const whileTracked = `
    CREATE TABLE later (id int); SET ROLE app; CREATE TABLE of_app (id int); CREATE TABLE of_app_2 AS SELECT 1 AS a;
    RESET ROLE; ALTER TABLE "Key ""less"".🛒" ADD more text;
    CREATE TABLE measured_2 PARTITION OF measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');`;
  let db: TestDatabase;

  beforeAll(async () => {
    db = await testDatabase({ version, profile, owner: ownerWhoMakesRoles(version) });
  });
  afterEach(() => removeDatabases(db));
  afterAll(() => db.close());

  test("all kinds of identity, through changes of the selection", () =>
    roundTrip(db, {
      ...MIXED,
      ups: [
        { schemas: ["public"] },
        { tables: ["public.by_index", "public.by_nothing"] },
        { schemas: ["public"], excludeTables: ["public.by_full"] },
        { allTables: true },
      ],
      tracked: 6,
    }));

  test("leaves tables as their makers made them that came while all was tracked", () =>
    roundTrip(db, {
      ...MIXED,
      ups: [{ allTables: true }],
      tracked: 6,
      newTables,
      meanwhile: `${whileTracked} ALTER TABLE measured ADD CHECK (day > '2000-01-01')`,
      differs: [
        /^(relation|privilege|constraint) /,
        "replica identity public.later: - => default",
        "replica identity public.of_app: - => default",
        "replica identity public.of_app_2: - => default",
        "replica identity public.measured_2: - => default",
      ],
    }));

  if (version === 18) {
    test("virtual and stored generated columns", () =>
      roundTrip(db, {
        sql: `CREATE TABLE keyed (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL);
              CREATE TABLE keyless (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL);
              CREATE TABLE stored (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
              CREATE TABLE later (a int);`,
        ups: [{ schemas: ["public"], excludeTables: ["public.keyless"] }],
        tracked: 2,
        meanwhile: "ALTER TABLE later ADD b int GENERATED ALWAYS AS (a + 1) VIRTUAL",
        differs: [/^relation r public.later/],
      }));
  }
});

describe.each([14, 15] as const)("PostgreSQL %i with a role made through Neon's API", (postgres) => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await startSandbox({ postgres });
    const { info } = sandbox;
    const run = liveRun(info);
    const { projectId, database } = info;
    await logicalReplication.create({ projectId, database, mode: "enable" }, run);
    await run.end();
  });
  afterAll(() => sandbox.stop());

  test("the sample schema, through changes of the selection", async () => {
    const { info } = sandbox;
    const { projectId, database } = info;
    const target = { projectId, database, createdBy: "api" } as const;
    const before = await catalogState(info, database);
    const trail = new Trail(() => liveRun(info));
    await trail.up({ ...target, tables: ["public.orders", "public.events"] });
    await trail.up({ ...target, allTables: true });
    await trail.up({ ...target, schemas: ["public"], excludeTables: ["public.stock_imports"] });
    const args = { ...target, schemas: ["public", "billing"] };
    await trail.up(args);
    expect(await trail.up(args)).toEqual([]);
    expect(await trackedTables(info, database)).toBe(18);
    const known = structuredClone(trail.state);
    await trail.destroy();
    expect(differences(before, await catalogState(info, database))).toEqual([]);
    await new Trail(() => liveRun(info), known).destroy();
    expect(differences(before, await catalogState(info, database))).toEqual([]);
  });
});
