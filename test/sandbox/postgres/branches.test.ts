import { existsSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";

let origin: TestDatabase;
beforeAll(async () => {
  origin = await testDatabase({
    sql: `CREATE TABLE kept (id int PRIMARY KEY, note text);
          INSERT INTO kept SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 5000) AS n;`,
  });
  await runSql(origin.ownerUri, "SELECT pg_create_logical_replication_slot('bemi', 'pgoutput')");
});
afterAll(async () => {
  await origin.close();
});

function uriOf(branchId: string): string {
  const uri = new URL(origin.ownerUri);
  uri.port = String(origin.compute.address(branchId).port);
  return uri.href;
}

test("makes a branch as an independent copy without the origin's slots", async () => {
  const { compute } = origin;
  await compute.createBranch("br-child", { copyOf: origin.branchId });
  const child = uriOf("br-child");

  const [row] = await runSql(
    child,
    `SELECT count(*)::int AS rows, current_setting('wal_level') AS level,
            (SELECT count(*)::int FROM pg_replication_slots) AS slots FROM kept`,
  );
  expect(row).toEqual({ rows: 5000, level: "logical", slots: 0 });
  expect(await runSql(origin.ownerUri, "SELECT slot_name FROM pg_replication_slots")).toEqual([
    { slot_name: "bemi" },
  ]);

  await runSql(child, "DELETE FROM kept");
  await runSql(origin.ownerUri, "INSERT INTO kept VALUES (5001)");
  expect(await runSql(child, "SELECT count(*)::int AS rows FROM kept")).toEqual([{ rows: 0 }]);
  expect(await runSql(origin.ownerUri, "SELECT count(*)::int AS rows FROM kept")).toEqual([{ rows: 5001 }]);

  await compute.deleteBranch("br-child");
  expect(() => compute.address("br-child")).toThrow(/no branch br-child/);
  expect(existsSync(join(compute.folder, "br-child"))).toBe(false);
});

test("makes a consistent copy while the origin is written to", async () => {
  const writer = new Client({ connectionString: origin.ownerUri });
  await writer.connect();
  await writer.query("CREATE TABLE pairs (id int, side text)");
  const done = new AbortController();
  let written = 0;
  const writing = (async () => {
    while (!done.signal.aborted) {
      written += 1;
      await writer.query("INSERT INTO pairs VALUES ($1, 'a'), ($1, 'b')", [written]);
      if (written % 50 === 0) await writer.query("UPDATE kept SET note = note || 'x' WHERE id % 7 = 0");
    }
  })();
  const before = written;
  await origin.compute.createBranch("br-busy", { copyOf: origin.branchId });
  done.abort();
  await writing;
  await writer.end();

  const [row] = await runSql<{ broken: number; pairs: number }>(
    uriOf("br-busy"),
    `SELECT (SELECT count(*)::int FROM (SELECT FROM pairs GROUP BY id HAVING count(*) <> 2) AS broken) AS broken,
            (SELECT count(DISTINCT id)::int FROM pairs) AS pairs`,
  );
  expect(row?.broken).toBe(0);
  expect(row?.pairs).toBeGreaterThanOrEqual(before);
  expect(row?.pairs).toBeLessThanOrEqual(written);
  expect(await runSql(uriOf("br-busy"), "SELECT count(*)::int AS rows FROM kept")).toEqual([{ rows: 5001 }]);
  await origin.compute.deleteBranch("br-busy");
});

test("copies a server of PostgreSQL 14, whose backup functions have other names", async () => {
  const old = await testDatabase({
    version: 14,
    sql: "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)",
  });
  try {
    await old.compute.createBranch("br-old", { copyOf: old.branchId });
    const copy = old.compute.superuserUri("br-old", "neondb");
    expect(await runSql(copy, "SELECT id FROM kept")).toEqual([{ id: 1 }]);
  } finally {
    await old.close();
  }
});

test("starts a stopped origin to copy it", async () => {
  await origin.compute.stop(origin.branchId);
  await origin.compute.createBranch("br-woken", { copyOf: origin.branchId });
  expect(await runSql(uriOf("br-woken"), "SELECT count(*)::int AS rows FROM kept")).toEqual([{ rows: 5001 }]);
  await origin.compute.deleteBranch("br-woken");
});

test("refuses a branch id that exists, and an unknown origin leaves no branch", async () => {
  await expect(origin.compute.createBranch(origin.branchId)).rejects.toThrow(/exists already/);
  await expect(origin.compute.createBranch("br-x", { copyOf: "br-unknown" })).rejects.toThrow(
    /no branch br-unknown/,
  );
  expect(() => origin.compute.isRunning("br-x")).toThrow(/no branch br-x/);
});
