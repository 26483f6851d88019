import { Client } from "pg";
import { publication } from "../../provider/postgres/publication";
import { replicaIdentity } from "../../provider/postgres/replicaIdentity";
import { runSql, testDatabase, type TestDatabase } from "../support/postgres";
import { TARGET, testRun, type TestRun } from "../support/session";

const SHARED = { ...TARGET, trackNewTables: true, managedBy: "shop/production/orders" };
const TABLES = Array.from({ length: 12 }, (_, index) => `keyless_${index}`);

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  const sql = TABLES.map(
    (name) => `CREATE TABLE ${name} (id int, note text); INSERT INTO ${name} VALUES (1, 'a'), (2, 'b');`,
  );
  db = await testDatabase({ profile: "neon", sql: sql.join("\n") });
  run = testRun(db);
});
afterAll(async () => {
  await run.end();
  await db.close();
});

test("no write of the app fails through up, change, change of form and destroy, and one table is locked at a time", async () => {
  const clock = { stop: false };
  const errors: string[] = [];
  let writes = 0;
  const writers = [0, 1, 2, 3].map(async (number) => {
    const client = new Client({ connectionString: db.ownerUri });
    await client.connect();
    for (let i = number; !clock.stop; i++) {
      const table = TABLES[(i * 5) % TABLES.length] ?? "";
      try {
        // Every third one stays open for a while, so that changes meet open transactions.
        await client.query("BEGIN");
        await client.query(`UPDATE ${table} SET note = $1 WHERE id = $2`, [`${i}`, (number % 2) + 1]);
        if (i % 3 === 0) await client.query("SELECT pg_sleep(0.1)");
        await client.query(`DELETE FROM ${table} WHERE id = ${number + 10}`);
        await client.query(`INSERT INTO ${table} VALUES (${number + 10}, 'c')`);
        await client.query("COMMIT");
        writes++;
      } catch (error) {
        errors.push(error instanceof Error ? error.message : String(error));
        await client.query("ROLLBACK");
      }
    }
    await client.end();
  });

  let most = 0;
  const watch = (async () => {
    const client = new Client({ connectionString: db.superuserUri });
    await client.connect();
    while (!clock.stop) {
      const { rows } = await client.query<{ held: number }>(
        `SELECT count(*)::int AS held FROM pg_locks l JOIN pg_stat_activity a USING (pid)
          WHERE a.application_name = 'pulumi-neon-bemi' AND l.locktype = 'relation' AND l.granted
            AND l.mode = 'AccessExclusiveLock' AND l.relation >= 16384
            AND l.relation IN (SELECT oid FROM pg_class WHERE relname LIKE 'keyless%')`,
      );
      most = Math.max(most, rows[0]?.held ?? 0);
    }
    await client.end();
  })();

  try {
    const steps = [
      { schemas: ["public"] },
      { schemas: ["public"], excludeTables: ["public.keyless_0", "public.keyless_1"] },
      { allTables: true as const },
      { tables: TABLES.slice(4).map((name) => `public.${name}`) },
    ];
    const forms: string[] = [];
    let identity: Parameters<typeof replicaIdentity.update>[0] | undefined;
    let published: Parameters<typeof publication.update>[0] | undefined;
    for (const selection of steps) {
      const wanted = { ...SHARED, ...selection, publication: "bemi" };
      const inputs = { ...SHARED, ...selection, name: "bemi", adopt: false };
      const first = await (identity === undefined
        ? replicaIdentity.create(wanted, run)
        : replicaIdentity.update(identity, wanted, run));
      identity = { ...wanted, ...first };
      const second = await (published === undefined
        ? publication.create(inputs, run)
        : publication.update(published, inputs, run));
      published = { ...inputs, ...second };
      forms.push(second.form);
      expect(second.pending).toEqual([]);
    }
    expect(forms).toEqual(["table list", "table list", "all tables", "table list"]);
    if (published === undefined || identity === undefined) throw new Error("unreachable");
    await publication.delete(published, run);
    await replicaIdentity.delete(identity, run);
  } finally {
    clock.stop = true;
    await Promise.all([...writers, watch]);
  }
  expect(errors).toEqual([]);
  expect(writes).toBeGreaterThan(20);
  expect(most).toBeLessThanOrEqual(1);
  expect(
    await runSql(db.ownerUri, "SELECT FROM pg_class WHERE relname LIKE 'keyless%' AND relreplident <> 'd'"),
  ).toEqual([]);
});
