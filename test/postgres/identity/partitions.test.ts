import { setTimeout as sleep } from "node:timers/promises";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { LockWatch } from "../../support/lockWatch";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun } from "../../support/run";
import { identityInputs } from "../../support/stack";

const PARTITIONS = 8;
const ROWS = ["a", "b", "c", "d"];
const HELD_MS = 3000;

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(async () => {
  await db.clear();
  await db.close();
});

// Every lock is asked for for 100 ms, and a statement on all partitions needs each of these locks too.
test("makes a statement on many partitions wait at one of them, not at each", async () => {
  await db.sql(`CREATE TABLE parted (id int, note text) PARTITION BY LIST (id);
    ${Array.from({ length: PARTITIONS }, (_, id) => `CREATE TABLE parted_${id} PARTITION OF parted FOR VALUES IN (${id});`).join(" ")}
    INSERT INTO parted SELECT 1, note FROM unnest(ARRAY['${ROWS.join("', '")}']) AS r (note)`);
  const watch = await LockWatch.start(db.superuserUri);
  const run = testRun(db);
  try {
    const reader = await db.connect();
    await reader.query("BEGIN; SELECT FROM parted");
    const released = sleep(HELD_MS).then(() => reader.query("COMMIT"));
    const work = { done: false };
    const writing = ROWS.map(async (row) => {
      const writer = await db.connect();
      while (!work.done) await writer.query("UPDATE parted SET note = note WHERE note = $1", [row]);
    });
    const outputs = await replicaIdentity.create(identityInputs({ schemas: ["public"] }), run);
    work.done = true;
    await Promise.all([...writing, released]);
    expect(outputs).toMatchObject({ wanted: PARTITIONS + 1, done: PARTITIONS + 1 });
    const { longestWait } = watch.seen();
    process.stderr.write(`longest wait behind us: ${Math.round(longestWait)} ms\n`);
    expect(longestWait).toBeGreaterThan(0);
    expect(longestWait).toBeLessThan(200);
  } finally {
    await run.end();
    await watch.stop();
  }
});
