import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { refusal } from "../../support/refusal";
import { MATRIX, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { Trail } from "../../support/trail";

const UP = { ...TARGET, schemas: ["public"] };

/** Half a minute of work for an autovacuum worker, which comes back within a second after it was cancelled. */
const BLOATED = `
  CREATE TABLE bloated (id int, note text) WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_enabled = false);
  INSERT INTO bloated SELECT n, repeat('x', 200) FROM generate_series(1, 40000) n;
  DELETE FROM bloated WHERE id % 2 = 0;
  CREATE TABLE calm (id int);`;

/** Ends the worker and removes its cost limits. Repeats this if the next worker takes the table before that. */
const SPEED_UP = `
  DO $$ BEGIN
    SET LOCAL lock_timeout = '200ms';
    LOOP
      PERFORM pg_stat_clear_snapshot();
      PERFORM pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker';
      BEGIN
        ALTER TABLE bloated RESET (autovacuum_vacuum_cost_delay, autovacuum_vacuum_cost_limit);
        EXIT;
      EXCEPTION WHEN lock_not_available THEN
      END;
    END LOOP;
  END $$`;

/** For a worker that has read the cost limits just before they were removed: it would work for minutes. */
const END_WORKERS = `SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'`;

describe.each(MATRIX)("PostgreSQL %i", (version) => {
  let db: TestDatabase;
  let trail: Trail;

  beforeAll(async () => {
    db = await testDatabase({
      version,
      profile: "neon",
      settings: { autovacuum_naptime: "1s", log_autovacuum_min_duration: "0" },
    });
  });
  afterAll(() => db.close());
  beforeEach(() => {
    trail = new Trail(() => testRun(db));
  });
  afterEach(async () => {
    await owner("DROP TABLE IF EXISTS bloated, calm, orders");
    await trail.destroy();
  });

  test("tracks a table under autovacuum: the worker yields, and the app waits no longer", async () => {
    await owner(BLOATED);
    await owner("ALTER TABLE bloated SET (autovacuum_enabled = true)");
    await vacuumed("bloated");
    await trail.up(UP);
    expect(trail.state["publication"]?.outputs).toMatchObject({ wanted: 2, done: 2, pending: [] });
    expect(readFileSync(db.serverLog, "utf8")).toMatch(/canceling autovacuum task/);

    await vacuumed("bloated");
    await trail.destroy();
    expect(await identities()).toEqual({ bloated: "d", calm: "d" });
  });

  test("names a table whose autovacuum never yields, and the next up finishes it", async () => {
    await owner(BLOATED);
    // PostgreSQL never cancels an autovacuum that prevents wraparound.
    await owner("ALTER TABLE bloated SET (autovacuum_freeze_max_age = 100000)");
    await runSql(
      db.ownerUri,
      `DO $$ BEGIN PERFORM set_config('synchronous_commit', 'off', false);
         FOR i IN 1 .. 110000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`,
    );
    await vacuumed("bloated");
    const message = await refusal(trail.up(UP));
    expect(message).toMatch(
      /not ready:\n {2}- public\.bloated is not in publication bemi.*Run pulumi up again[^\n]*$/,
    );
    expect(trail.state["identity"]?.outputs["pending"]).toEqual([
      "public.bloated: replica identity is not full yet",
    ]);
    expect(await identities()).toEqual({ bloated: "d", calm: "f" });

    // The worker finishes, at full speed.
    await owner("ALTER TABLE calm SET (autovacuum_enabled = false)");
    await runSql(db.superuserUri, SPEED_UP);
    await runSql(db.superuserUri, END_WORKERS);
    await owner("VACUUM (FREEZE) bloated");
    await trail.up(UP);
    expect(await identities()).toEqual({ bloated: "f", calm: "f" });
  });

  test("names a table that an idle transaction holds, and the next up finishes it", async () => {
    await owner("CREATE TABLE orders (id int); CREATE TABLE calm (id int)");
    await held("orders", async () => {
      expect(await refusal(trail.up(UP))).toMatch(
        /not ready:\n {2}- public\.orders is not in publication bemi[^\n]*$/,
      );
    });
    expect(await identities()).toEqual({ orders: "d", calm: "f" });
    await trail.up(UP);
    expect(await identities()).toEqual({ orders: "f", calm: "f" });

    // A table that leaves the selection gets its previous identity back, now or in the next up.
    await held("orders", () => trail.up({ ...UP, excludeTables: ["public.orders"] }));
    expect(await identities()).toEqual({ orders: "f", calm: "f" });
    expect(trail.lines.join("\n")).toMatch(/public\.orders: locked.*next up/);
    await trail.refresh();
    expect(trail.drift).toEqual({ identity: { identityNotRestored: "public.orders" } });
    await trail.up({ ...UP, excludeTables: ["public.orders"] });
    expect(await identities()).toEqual({ orders: "d", calm: "f" });
  });

  test("destroy names a table that a transaction holds, and the next destroy finishes", async () => {
    await owner("CREATE TABLE orders (id int); CREATE TABLE calm (id int)");
    await trail.up(UP);
    await held("orders", async () => {
      expect(await refusal(trail.destroy())).toMatch(/public\.orders.*Run destroy again/);
    });
    expect(await identities()).toEqual({ orders: "f", calm: "d" });
    await trail.destroy();
    expect(await identities()).toEqual({ orders: "d", calm: "d" });
  });

  async function owner(statement: string): Promise<void> {
    await runSql(db.ownerUri, statement);
  }

  /** Waits until an autovacuum worker holds the table. */
  async function vacuumed(table: string): Promise<void> {
    for (;;) {
      const workers = await runSql(
        db.superuserUri,
        `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
          WHERE a.backend_type = 'autovacuum worker' AND l.relation = '${table}'::regclass AND l.granted`,
      );
      if (workers.length > 0) return;
      await sleep(50);
    }
  }

  async function held(table: string, work: () => Promise<unknown>): Promise<void> {
    const client = new Client({ connectionString: db.ownerUri });
    await client.connect();
    try {
      await client.query(`BEGIN; SELECT FROM ${table}`);
      const start = Date.now();
      await work();
      process.stderr.write(`PostgreSQL ${version}, ${table} held: ${Date.now() - start} ms\n`);
    } finally {
      await client.end();
    }
  }

  async function identities(): Promise<Record<string, string>> {
    const rows = await runSql<{ relname: string; relreplident: string }>(
      db.superuserUri,
      "SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    );
    return Object.fromEntries(rows.map(({ relname, relreplident }) => [relname, relreplident]));
  }
});
