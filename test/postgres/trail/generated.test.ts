import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { ownerWhoMakesRoles, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { Trail, type TrailArgs } from "../../support/trail";

/** Tables whose writes PostgreSQL would refuse, if all of them were tracked in the same way: `id` and `a` are written. */
const TABLES = {
  /** A foreign publication lists it with a column list. */
  partly_published: "id int PRIMARY KEY, a int",
  with_key: "id int PRIMARY KEY, a int",
  without_key: "id int, a int",
  stored: "id int, a int, b int GENERATED ALWAYS AS (a + 1) STORED",
  virtual_with_key: "id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL",
  virtual_without_key: "id int, a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL",
  stored_elsewhere: "id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a + 1) STORED",
};
const ONLY_18 = ["virtual_with_key", "virtual_without_key"];

const STEPS: readonly Partial<TrailArgs>[] = [
  { schemas: ["public"], excludeTables: ["public.with_key"] },
  { schemas: ["public"] },
  { allTables: true },
  { tables: ["public.stored", "public.partly_published"] },
  { schemas: ["public"] },
];

describe.each([17, 18] as const)("PostgreSQL %i: generated columns and column lists", (version) => {
  let db: TestDatabase;
  let trail: Trail;
  const names = Object.keys(TABLES).filter((name) => version >= 18 || !ONLY_18.includes(name));

  beforeAll(async () => {
    db = await testDatabase({ version, profile: "neon", owner: ownerWhoMakesRoles(version) });
  });
  afterAll(() => db.close());
  beforeEach(() => {
    trail = new Trail(() => testRun(db));
  });
  afterEach(async () => {
    await trail.destroy();
    await owner(
      "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; DROP PUBLICATION IF EXISTS theirs",
    );
  });

  test("no write fails at any step, and readiness names what is degraded", async () => {
    const tables = Object.entries(TABLES).filter(([name]) => names.includes(name));
    await owner(`${tables.map(([name, columns]) => `CREATE TABLE ${name} (${columns})`).join("; ")};
      CREATE PUBLICATION theirs FOR TABLE partly_published (id), stored_elsewhere`);
    await whileWriting(names, async () => {
      for (const step of STEPS) {
        await trail.up({ ...TARGET, ...step });
        await sleep(50);
      }
      const { degraded, full, published, selected } = trail.state["readiness"]?.outputs ?? {};
      expect(degraded).toEqual(
        version < 18
          ? [expect.stringMatching(/public\.partly_published .*column list.*"theirs"/)]
          : [
              expect.stringMatching(/public\.partly_published .*column list.*"theirs"/),
              expect.stringMatching(/public\.stored_elsewhere .*stored generated column.*"theirs"/),
              expect.stringMatching(/public\.virtual_with_key .*virtual/),
              expect.stringMatching(/public\.virtual_without_key is not published.*virtual/),
            ],
      );
      expect({ full, published, selected }).toEqual(
        version < 18 ? { full: 4, published: 5, selected: 5 } : { full: 3, published: 6, selected: 7 },
      );
      await trail.destroy();
      await sleep(50);
    });
  });

  test.each<Partial<TrailArgs>>([{ schemas: ["public"] }, { allTables: true }])(
    "a migration adds generated columns to tracked tables, %j: no write fails from then on",
    async (selection) => {
      await owner("CREATE TABLE keyed (id int PRIMARY KEY, a int); CREATE TABLE keyless (id int, a int)");
      await owner(
        "CREATE TABLE parted (id int, a int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parted DEFAULT",
      );
      await trail.up({ ...TARGET, ...selection });
      const kinds = version < 18 ? ["STORED"] : ["STORED", "VIRTUAL"];
      await whileWriting(["keyed", "keyless", "parted"], async () => {
        for (const kind of kinds) {
          for (const name of ["keyed", "keyless", "parted"])
            await owner(
              `ALTER TABLE ${name} ADD COLUMN ${kind.toLowerCase()} int GENERATED ALWAYS AS (a + 1) ${kind}`,
            );
          await owner(`CREATE TABLE born_${kind} (id int, a int, b int GENERATED ALWAYS AS (a + 1) ${kind})`);
          await write(`born_${kind}`);
          await sleep(50);
        }
        await trail.up({ ...TARGET, ...selection });
        await sleep(50);
      });
      const degraded = trail.state["readiness"]?.outputs["degraded"] as string[];
      for (const name of version < 18 ? [] : ["keyed", "keyless", "part", "born_virtual"])
        expect(degraded.join("\n")).toMatch(new RegExp(`public\\.${name}\\b`));
    },
  );

  async function owner(statement: string): Promise<void> {
    await runSql(db.ownerUri, statement);
  }

  async function write(name: string, client?: Client): Promise<void> {
    const statements = `INSERT INTO ${name} (id, a) VALUES (1, 1); UPDATE ${name} SET a = a + 1; DELETE FROM ${name}`;
    if (client === undefined) await owner(statements);
    else await client.query(statements);
  }

  /** Writes all the tables without a pause while it works, and at least once afterwards. */
  async function whileWriting(tables: readonly string[], work: () => Promise<void>): Promise<void> {
    const clock = { stop: false };
    const errors = new Set<string>();
    const writer = (async () => {
      const client = new Client({ connectionString: db.ownerUri });
      await client.connect();
      for (let last = false; !last;) {
        last = clock.stop;
        for (const name of tables)
          await write(name, client).catch((error: unknown) => errors.add(`${name}: ${String(error)}`));
      }
      await client.end();
    })();
    try {
      await work();
    } finally {
      clock.stop = true;
      await writer;
    }
    expect([...errors]).toEqual([]);
  }
});
