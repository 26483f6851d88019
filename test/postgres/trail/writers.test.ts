import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { startConsumer, type Consumer } from "../../../tools/start/consumer";
import { Audit, differences, type Audited } from "../../support/audit";
import { LockWatch } from "../../support/lockWatch";
import { MATRIX, ownerWhoMakesRoles, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { Trail, type TrailArgs } from "../../support/trail";
import { SHARED, STREAMED, Workload, WORKLOAD_SQL } from "../../support/workload";

/** How long one transaction holds a table, in milliseconds, while something is changed about it. */
const HELD_MS = 5_000;

/** A table that keeps its key in one of the steps: its rows before a change are not captured then. */
const KEYED = "public.keyed_2";
const KEPT = { [KEYED]: "primaryKey", "public.indexed": "primaryKey" } as const;

const listed = SHARED.map(({ name }) => name).filter(
  (name) => !["public.keyless_3", "public.indexed", "elsewhere.visitor"].includes(name),
);
const schemas = ["public"];

interface Step {
  readonly what: string;
  readonly args: Partial<TrailArgs>;
  /** A table that another transaction has read or written, and holds until 5 s are over. */
  readonly held: { readonly table: string; readonly by: "reader" | "writer" };
}
const UP: Step = {
  what: "up",
  args: { schemas, excludeTables: ["public.extra"] },
  held: { table: "public.held", by: "reader" },
};
const CHANGES: readonly Step[] = [
  { what: "a table is added", args: { schemas }, held: { table: "public.extra", by: "writer" } },
  {
    what: "exclusions change",
    args: { schemas, excludeTables: ["public.keyless_3"] },
    held: { table: "public.keyless_3", by: "reader" },
  },
  {
    what: "a list of tables, without one that was tracked",
    args: { tables: [...listed, ...STREAMED.filter((name) => name.includes("emptied"))] },
    held: { table: "public.indexed", by: "writer" },
  },
  {
    what: "all tables, of which two keep their key",
    args: { allTables: true, identity: { default: "full", tables: KEPT } },
    held: { table: KEYED, by: "writer" },
  },
  { what: "schemas again, all FULL", args: { schemas }, held: { table: "elsewhere.visitor", by: "reader" } },
];

/** Tables that stay tracked the whole time: the stream must have every change of theirs. */
const ALWAYS = new Set(
  STREAMED.filter(
    (name) => !["public.extra", "public.keyless_3", "public.indexed", "elsewhere.visitor"].includes(name),
  ),
);

describe.each(MATRIX)("PostgreSQL %i, under eight writers", (version) => {
  let db: TestDatabase;
  let workload: Workload;
  let watch: LockWatch;
  let trail: Trail;
  let live: Consumer;
  const audit = new Audit();
  let received = 0;

  beforeAll(async () => {
    db = await testDatabase({
      version,
      profile: "neon",
      owner: ownerWhoMakesRoles(version),
      sql: WORKLOAD_SQL,
    });
    workload = await Workload.connect(db.ownerUri, audit);
    watch = await LockWatch.start(db.superuserUri);
    trail = new Trail(() => testRun(db));
  });
  afterAll(async () => {
    await workload.stop();
    await watch.stop();
    await db.close();
  });

  test("up causes no error and no lock queue", async () => {
    await under(UP.held, () => trail.up({ ...TARGET, ...UP.args }));
    audit.take();
    live = await consumer("bemi");
  });

  test.each(CHANGES)(
    "$what: no error, no lock queue, no change lost or doubled",
    async ({ what, args, held }) => {
      const slot = what.replaceAll(/[^a-z]/g, "_");
      await runSql(db.superuserUri, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
      await under(held, () => trail.up({ ...TARGET, ...args }));
      await runSql(db.superuserUri, "SELECT pg_logical_emit_message(true, 'test', $1)", [what]);

      const committed = audit.take();
      expect(new Set(committed.map(({ table }) => table))).toEqual(new Set(STREAMED));
      await live.reached(what, 60_000);
      const kept = args.identity !== undefined;
      expect(await keptKeys()).toEqual(kept ? ["indexed", "keyed_2"] : []);
      expect(compare(committed, live.changes.slice(received))).toEqual([]);
      received = live.changes.length;

      const late = await consumer(slot);
      await late.reached(what, 60_000);
      await late.stop();
      expect(compare(committed, late.changes)).toEqual([]);
      await runSql(db.superuserUri, "SELECT pg_drop_replication_slot($1)", [slot]);
    },
  );

  test("destroy causes no error and no lock queue, and restores everything", async () => {
    await under(UP.held, () => trail.destroy());
    const committed = audit.take();
    expect(compare(committed, live.changes.slice(received)).filter((line) => line.startsWith("too"))).toEqual(
      [],
    );
    await live.stop().catch(() => undefined);
    const changed = await runSql<{ relname: string; relreplident: string }>(
      db.superuserUri,
      `SELECT relname, relreplident FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p') AND nspname IN ('public', 'elsewhere') AND relreplident <> 'd'`,
    );
    expect(changed).toEqual([{ relname: "indexed", relreplident: "i" }]);
  });

  test.each([
    ["all tables", "FOR ALL TABLES"],
    ...(version < 15 ? [] : [["schemas", "FOR TABLES IN SCHEMA public, elsewhere"]]),
  ])(
    "a publication for %s is adopted as a list and given back: no error, no change lost or doubled",
    async (_, contents = "") => {
      // As Bemi's documentation makes it.
      await db.sql(`DO $$ DECLARE name text; BEGIN
          FOR name IN SELECT oid::regclass FROM pg_class
                       WHERE relkind = 'r' AND relreplident <> 'f' AND relnamespace IN ('public'::regnamespace, 'elsewhere'::regnamespace) LOOP
            EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', name);
          END LOOP;
        END $$;
        CREATE PUBLICATION bemi ${contents}`);
      const uri = new URL(db.ownerUri);
      const consumer = await startConsumer({
        connection: {
          host: uri.hostname,
          port: Number(uri.port),
          username: uri.username,
          password: uri.password,
          database: TARGET.database,
        },
        publication: "bemi",
        slot: "adopted",
        sslRootCert: db.sslRootCert,
      });
      const adopting = new Trail(() => testRun(db));
      const held = { table: "public.held", by: "writer" } as const;
      let seen = 0;
      const changed = async (what: string, work: () => Promise<unknown>): Promise<void> => {
        await under(held, work);
        await runSql(db.superuserUri, "SELECT pg_logical_emit_message(true, 'test', $1)", [what]);
        await consumer.reached(what, 60_000);
        const all = new Set(STREAMED);
        expect(differences(audit.take(), consumer.changes.slice(seen), all).slice(0, 8)).toEqual([]);
        seen = consumer.changes.length;
      };
      const form =
        "SELECT puballtables, (SELECT count(*)::int FROM pg_publication_tables) AS tables FROM pg_publication";
      const before = await runSql(db.superuserUri, form);
      await changed("adopted", () =>
        adopting.up({ ...TARGET, schemas: ["public", "elsewhere"], adopt: true }),
      );
      expect(await runSql(db.superuserUri, "SELECT FROM pg_publication WHERE puballtables")).toEqual([]);
      await changed("given back", () => adopting.destroy());
      expect(await runSql(db.superuserUri, form)).toEqual(before);
      await consumer.stop();
      await runSql(db.superuserUri, "SELECT pg_drop_replication_slot('adopted')");
      await db.sql("DROP PUBLICATION bemi");
    },
  );

  /** The tables of schema public with a key that are tracked, and are not FULL. */
  async function keptKeys(): Promise<string[]> {
    const rows = await runSql<{ relname: string }>(
      db.superuserUri,
      `SELECT relname FROM pg_class c JOIN pg_publication_rel r ON r.prrelid = c.oid
        WHERE relnamespace = 'public'::regnamespace AND relreplident <> 'f' ORDER BY relname`,
    );
    return rows.map(({ relname }) => relname);
  }

  /** Does the change while writers write and a transaction holds a table, and checks what the writers met. */
  async function under(held: Step["held"], work: () => Promise<unknown>): Promise<void> {
    workload.resume();
    const holding = hold(held);
    await sleep(500);
    workload.slowest();
    watch.seen();
    const before = workload.statements;
    const start = Date.now();
    try {
      await work();
    } finally {
      const took = Date.now() - start;
      await holding;
      await sleep(300);
      await workload.pause();
      const seen = watch.seen();
      const { ms, statement } = workload.slowest();
      process.stderr.write(
        `${expect.getState().currentTestName?.split(": ")[0] ?? ""}: ${took} ms, ` +
          `${workload.statements - before} statements, slowest ${Math.round(ms)} ms (${statement.slice(0, 40)}), ` +
          `longest wait behind us ${Math.round(seen.longestWait)} ms, most locks ${seen.mostHeld} in ${seen.samples} samples\n`,
      );
      expect(workload.errors).toEqual([]);
      expect(workload.statements - before).toBeGreaterThan(100);
      expect(seen.mostHeld).toBeLessThanOrEqual(1);
      expect(seen.longestWait).toBeLessThan(300);
    }
  }

  async function hold({ table, by }: Step["held"]): Promise<void> {
    const client = new Client({ connectionString: db.ownerUri });
    await client.connect();
    try {
      await client.query("BEGIN");
      if (by === "reader") await client.query(`SELECT count(*) FROM ${table}`);
      else await client.query(`INSERT INTO ${table} (id, client, token) VALUES (-1, -1, 'holder')`);
      await sleep(HELD_MS);
      if (by === "writer") await client.query(`DELETE FROM ${table} WHERE id = -1`);
      await client.query("COMMIT");
      const row = { id: "-1", client: "-1", token: "holder" };
      if (by === "writer")
        audit.commit([
          { operation: "Create", table, after: row },
          { operation: "Delete", table, before: row },
        ]);
    } finally {
      await client.end();
    }
  }

  function consumer(slot: string): Promise<Consumer> {
    const { host, port, username, password } = trail.login;
    const connection = { host, port, username, password, database: TARGET.database };
    return startConsumer({ connection, publication: "bemi", slot, sslRootCert: db.sslRootCert });
  }
});

/**
 * At most a few differences, so that a failure can be read. Of the table that keeps its key in one of the steps, the
 * row before is not compared.
 */
function compare(committed: readonly Audited[], changes: readonly Audited[]): string[] {
  const comparable = (all: readonly Audited[]): Audited[] =>
    all.map((change) => (change.table === KEYED ? { ...change, before: undefined } : change));
  const all = differences(comparable(committed), comparable(changes), ALWAYS);
  return all.length <= 8 ? all : [...all.slice(0, 8), `... and ${all.length - 8} more`];
}
