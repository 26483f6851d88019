import { setTimeout as sleep } from "node:timers/promises";
import type { PublicationInputs } from "../../../provider/contract/kinds/publication";
import type { ReplicaIdentityInputs } from "../../../provider/contract/kinds/replicaIdentity";
import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { DEFAULT_VERSION, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, type TestRun } from "../../support/run";
import { preview } from "../../support/stack";
import { until } from "../../support/until";
import { ownNames } from "../../../provider/postgres/ownership/ownNames";

const SELECTION = { schemas: ["public"], excludeTables: ["public.sessions"] };
const COMMON = { ...TARGET, ...SELECTION, trackNewTables: true, managedBy: "shop/production/orders" };
const IDENTITY: ReplicaIdentityInputs = { ...COMMON, publication: "bemi" };
const PUBLICATION: PublicationInputs = { ...COMMON, name: "bemi", adopt: false };

let db: TestDatabase;
let app: string;
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase({ profile: "neon" });
  await runSql(
    db.superuserUri,
    `CREATE ROLE app LOGIN PASSWORD 'app'; GRANT app TO neondb_owner; GRANT CREATE ON DATABASE neondb TO app`,
  );
  const uri = new URL(db.ownerUri);
  uri.username = "app";
  uri.password = "app";
  app = uri.href;
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await db.sql(`
    GRANT ALL ON SCHEMA public TO app;
    CREATE TABLE orders (id int, note text);
    CREATE TABLE parted (id int) PARTITION BY LIST (id);
    ALTER TABLE parted OWNER TO app;
    CREATE SCHEMA elsewhere AUTHORIZATION app;`);
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

test("tracks tables of other roles, whatever statement makes them", async () => {
  const { identity } = await up();
  expect(identity.newTables).toBe("event trigger");
  await runSql(
    app,
    `CREATE TABLE created (note text);
     CREATE TABLE created_as AS SELECT 1 AS id;
     SELECT 1 AS id INTO selected_into;
     CREATE TABLE "Odd ""name"".here" (id int);
     CREATE TABLE elsewhere.attached (id int);
     ALTER TABLE parted ATTACH PARTITION elsewhere.attached FOR VALUES IN (1);
     CREATE TABLE elsewhere.partition_of PARTITION OF parted FOR VALUES IN (2);
     CREATE TABLE elsewhere.moved (id int NOT NULL UNIQUE);
     ALTER TABLE elsewhere.moved REPLICA IDENTITY USING INDEX moved_id_key;
     ALTER TABLE elsewhere.moved SET SCHEMA public;
     CREATE TEMP TABLE passing (id int);
     CREATE UNLOGGED TABLE unlogged (id int);
     CREATE TABLE sessions (id int);
     CREATE TABLE elsewhere.stranger (id int);`,
  );
  const table = (identity: string, published: boolean) => ({ identity, published });
  expect(await tables()).toEqual({
    "public.orders": table("f", true),
    // Published by its partitions, as it has no key.
    "public.parted": table("f", false),
    "public.created": table("f", true),
    "public.created_as": table("f", true),
    "public.selected_into": table("f", true),
    'public.Odd "name".here': table("f", true),
    "public.moved": table("f", true),
    "elsewhere.attached": table("f", true),
    "elsewhere.partition_of": table("f", true),
    "public.unlogged": table("d", false),
    "public.sessions": table("d", false),
    "elsewhere.stranger": table("d", false),
  });

  // The next up finds nothing to do, and destroy gives each table back what it had.
  const state = { ...IDENTITY, ...identity };
  await run.end();
  expect((await replicaIdentity.read(state, run))?.drift).toEqual({});
  await down(state);
  const after = await tables();
  expect(Object.values(after).every(({ published }) => !published)).toBe(true);
  expect(Object.entries(after).filter(([, { identity }]) => identity !== "d")).toEqual([
    ["public.moved", table("i", false)],
  ]);
  expect(await db.eventTriggers()).toEqual([]);
  expect(await db.sql("SELECT nspname FROM pg_namespace WHERE nspname = '_bemi'")).toEqual([]);
});

test("new tables that are tracked change neither drift nor fingerprints", async () => {
  await db.sql(
    "CREATE TABLE keyed (id int PRIMARY KEY) PARTITION BY LIST (id); ALTER TABLE keyed OWNER TO app",
  );
  const { identity } = await up();
  await runSql(
    app,
    `CREATE TABLE created (id int);
     -- As pg_partman makes partitions.
     CREATE TABLE joining (LIKE keyed);
     ALTER TABLE keyed ATTACH PARTITION joining FOR VALUES IN (1)`,
  );
  await run.end();
  const full = await replicaIdentity.read({ ...IDENTITY, ...identity }, run);
  expect([full?.drift, full?.outputs.fingerprint]).toEqual([{}, identity.fingerprint]);
  const list = await publication.read(await publicationState(), run);
  expect([list?.drift, list?.outputs.fingerprint]).toEqual([{}, published.fingerprint]);
  expect(list?.outputs).toMatchObject({ wanted: 5, done: 5 });
  expect(await db.sql("SELECT FROM pg_publication_rel WHERE prrelid = 'joining'::regclass")).toEqual([]);
  expect(await tables()).toMatchObject({ "public.joining": { identity: "f", published: true } });
});

test("tracks the very first rows of a new table", async () => {
  await up();
  await runSql(
    app,
    `BEGIN; CREATE TABLE created (note text); INSERT INTO created VALUES ('a');
     UPDATE created SET note = 'b'; DELETE FROM created; COMMIT`,
  );
  expect(await tables()).toMatchObject({ "public.created": { identity: "f", published: true } });
});

test("keeps FULL on destroy what its owner had made FULL", async () => {
  const { identity } = await up();
  await runSql(app, "ALTER TABLE parted REPLICA IDENTITY DEFAULT");
  expect(await tables()).toMatchObject({ "public.parted": { identity: "f" } });
  await runSql(
    app,
    `CREATE TABLE elsewhere.theirs (id int); ALTER TABLE elsewhere.theirs REPLICA IDENTITY FULL;
     ALTER TABLE elsewhere.theirs SET SCHEMA public`,
  );
  expect(await tables()).toMatchObject({ "public.theirs": { identity: "f", published: true } });
  const again = await replicaIdentity.update({ ...IDENTITY, ...identity }, IDENTITY, run);
  await down({ ...IDENTITY, ...again });
  expect(await tables()).toMatchObject({
    "public.theirs": { identity: "f", published: false },
    "public.parted": { identity: "d" },
  });
});

test("holds up no DDL during an open migration; tables that it missed are drift", async () => {
  const { identity } = await up();
  const made = await publicationState();
  const [first, second] = await Promise.all([
    runSql(app, "BEGIN; CREATE TABLE first (id int); SELECT pg_sleep(1.5); COMMIT"),
    runSql<{ took: number }>(
      app,
      `SELECT pg_sleep(0.4); SET statement_timeout = '1s'; CREATE TABLE second (id int);`,
    ),
  ]);
  expect([first, second]).toHaveLength(2);
  expect(await tables()).toMatchObject({
    "public.first": { identity: "f", published: true },
    "public.second": { identity: "f", published: false },
  });
  await run.end();
  const observed = await publication.read(made, run);
  expect(observed?.drift).toEqual({ notPublished: "public.second" });
  await publication.update(made, PUBLICATION, run);
  expect(await tables()).toMatchObject({ "public.second": { published: true } });
  await down({ ...IDENTITY, ...identity });
});

test("never fails DDL, not even without record and publication", async () => {
  await up();
  await db.sql("DROP VIEW _bemi.lock; DROP PUBLICATION bemi");
  await runSql(app, "CREATE TABLE created (id int)");
  expect(await tables()).toMatchObject({ "public.created": { identity: "f", published: false } });
  // As pg_restore does.
  await runSql(app, "SET search_path = ''; CREATE TABLE public.restored (id int)");
  expect(await tables()).toMatchObject({ "public.restored": { identity: "f" } });
});

test("tracks a table that is created while the first up runs", async () => {
  const reader = await db.connect();
  await reader.query("BEGIN; SELECT FROM orders");
  const creating = replicaIdentity.create(IDENTITY, run);
  await until(async () => {
    const rows = await db.sql(
      "SELECT FROM pg_namespace n WHERE nspname = '_bemi' AND obj_description(n.oid, 'pg_namespace') ~ '\"selections\"'",
    );
    return rows.length > 0;
  });
  expect(await db.eventTriggers()).toEqual([]);
  await runSql(app, "CREATE TABLE created (id int)");
  const migration = await db.connect();
  await migration.query("BEGIN; CREATE TABLE late (id int)");
  await reader.query("COMMIT");
  await until(async () => (await db.eventTriggers()).length > 0);
  await sleep(300);
  await migration.query("COMMIT");
  const identity = await creating;
  expect(identity).toMatchObject({ wanted: 4, done: 4, pending: [], newTables: "event trigger" });
  expect(await tables()).toMatchObject({
    "public.created": { identity: "f" },
    "public.late": { identity: "f" },
  });
  await replicaIdentity.delete({ ...IDENTITY, ...identity }, run);
  expect(await tables()).toMatchObject({ "public.created": { identity: "d" } });
});

test("names a migration that is older than the event triggers and stays open", async () => {
  const migration = await db.connect();
  await migration.query("BEGIN; CREATE TABLE late (id int)");
  await replicaIdentity.create(IDENTITY, run);
  expect(run.lines).toContainEqual(
    expect.stringMatching(
      /^Tables that a transaction has created which is still open .* next up on\. Held by session \d+ \(role neondb_owner,.* last statement BEGIN\)/,
    ),
  );
  await migration.query("COMMIT");
});

test("restores the table of a migration that ends while the trail is removed", async () => {
  const everything = { ...IDENTITY, schemas: undefined, excludeTables: undefined, allTables: true as const };
  const identity = await replicaIdentity.create(everything, run);
  const migration = await db.connect();
  await migration.query("BEGIN; CREATE TABLE created (id int)");
  // For longer than destroy waits for what has reached the event triggers.
  const ended = sleep(3_000).then(() => migration.query("COMMIT"));
  await replicaIdentity.delete({ ...everything, ...identity }, run);
  await ended;
  expect(await tables()).toMatchObject({ "public.created": { identity: "d" } });
  expect(await db.sql("SELECT FROM pg_namespace WHERE nspname = '_bemi'")).toEqual([]);
});

test("leaves publications of others with such names alone", async () => {
  await db.sql("CREATE PUBLICATION bemi FOR TABLE orders; CREATE PUBLICATION bemi_new");
  await replicaIdentity.create(IDENTITY, run);
  await runSql(app, "CREATE TABLE created (id int)");
  expect(await db.sql("SELECT prrelid::regclass::text AS name FROM pg_publication_rel")).toEqual([
    { name: "orders" },
  ]);
});

test("follows the selection, and goes with trackNewTables: false", async () => {
  const { identity } = await up();
  const everywhere = { ...IDENTITY, schemas: undefined, allTables: true as const };
  const wider = await replicaIdentity.update({ ...IDENTITY, ...identity }, everywhere, run);
  await runSql(app, "CREATE SCHEMA mine CREATE TABLE created (id int); CREATE TABLE sessions (id int)");
  expect(await tables()).toMatchObject({
    "mine.created": { identity: "f" },
    "public.sessions": { identity: "d" },
  });
  const off = { ...IDENTITY, trackNewTables: false };
  const outputs = await replicaIdentity.update({ ...everywhere, ...wider }, off, run);
  expect(outputs.newTables).toBe("next up");
  // It lists a partitioned table without key, for whose new partitions the triggers have stayed.
  await publication.update({ ...PUBLICATION, ...published }, { ...PUBLICATION, trackNewTables: false }, run);
  await runSql(app, "CREATE TABLE late (id int)");
  expect(await tables()).toMatchObject({ "public.late": { identity: "d" } });
  expect(await db.eventTriggers()).toEqual([]);
});

test("reports a disabled event trigger as drift, and enables it again", async () => {
  const { identity } = await up();
  await db.sql("ALTER EVENT TRIGGER _bemi_track DISABLE");
  await run.end();
  const observed = await replicaIdentity.read({ ...IDENTITY, ...identity }, run);
  expect(observed?.drift).toEqual({ eventTriggersMissing: "_bemi_track is disabled" });
  // Also after a refresh.
  await run.end();
  const again = await replicaIdentity.read({ ...IDENTITY, ...observed?.outputs }, run);
  expect(again?.drift).toEqual({ eventTriggersMissing: "_bemi_track is disabled" });
  const outputs = await replicaIdentity.update({ ...IDENTITY, ...identity }, IDENTITY, run);
  expect(outputs.newTables).toBe("event trigger");
});

test("says by what new tables are tracked where settings switch triggers off", async () => {
  const { identity } = await up();
  const state = { ...IDENTITY, ...identity };
  const seen = async (statement: string) => {
    await runSql(db.superuserUri, statement);
    await run.end();
    const { outputs, drift } = (await replicaIdentity.read(state, run)) ?? {};
    return [outputs?.newTables, drift];
  };
  try {
    expect(await seen("ALTER DATABASE neondb SET session_replication_role = replica")).toEqual([
      "event trigger",
      {},
    ]);
    await runSql(app, "CREATE TABLE created (id int)");
    expect(await tables()).toMatchObject({ "public.created": { identity: "f", published: true } });
    // The output still says what was set up: it would no longer be missed if a refresh forgot it.
    expect(await seen("ALTER EVENT TRIGGER _bemi_track ENABLE")).toEqual([
      "event trigger",
      { eventTriggersMissing: "_bemi_track is disabled" },
    ]);
    await replicaIdentity.update(state, IDENTITY, run);
    // The setting is new in PostgreSQL 17.
    if (DEFAULT_VERSION < 17) return;
    expect(await seen("ALTER ROLE neondb_owner IN DATABASE neondb SET event_triggers = off")).toEqual([
      "next up",
      {},
    ]);
  } finally {
    await runSql(
      db.superuserUri,
      "ALTER DATABASE neondb RESET session_replication_role; ALTER ROLE neondb_owner IN DATABASE neondb RESET ALL",
    );
  }
});

test("refuses an event trigger of that name that somebody else made", async () => {
  await db.sql(`CREATE FUNCTION theirs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE EVENT TRIGGER _bemi_track ON ddl_command_end EXECUTE FUNCTION theirs()`);
  await expect(replicaIdentity.plan(IDENTITY, run)).rejects.toThrow(/"_bemi_track" exists already/);
  await expect(replicaIdentity.create(IDENTITY, run)).rejects.toThrow(/"_bemi_track" exists already/);
  expect(await db.sql("SELECT FROM pg_namespace WHERE nspname = '_bemi'")).toEqual([]);
  await db.sql("DROP EVENT TRIGGER _bemi_track");
});

test("tracks a selected table again that was dropped and made again", async () => {
  const listed = { ...IDENTITY, schemas: undefined, tables: ["public.orders"], excludeTables: undefined };
  await replicaIdentity.create(listed, run);
  await db.sql("DROP TABLE orders");
  await runSql(
    app,
    "CREATE TABLE swapped (id int); ALTER TABLE swapped RENAME TO orders; CREATE TABLE other ()",
  );
  expect(await tables()).toMatchObject({
    "public.orders": { identity: "f" },
    "public.other": { identity: "d" },
  });
});

test("gives publications with long names different names of at most 63 bytes", () => {
  const long = "p".repeat(62);
  const [a, b] = [ownNames(`${long}a`), ownNames(`${long}b`)];
  const names = [a, b].flatMap((own) => [own.trackTrigger, own.trackFunction]);
  expect(new Set(names).size).toBe(4);
  expect(names.every((name) => name.length <= 63)).toBe(true);
});

let published: Awaited<ReturnType<typeof publication.create>>;

async function up() {
  const identity = await replicaIdentity.create(IDENTITY, run);
  published = await publication.create(PUBLICATION, run);
  return { identity, published };
}

function publicationState() {
  return Promise.resolve({ ...PUBLICATION, ...published });
}

async function down(state: Parameters<typeof replicaIdentity.delete>[0]): Promise<void> {
  await run.end();
  await publication.delete({ ...PUBLICATION, ...published }, run);
  await replicaIdentity.delete(state, run);
}

async function tables(): Promise<Record<string, { identity: string; published: boolean }>> {
  const rows = await db.sql<{ name: string; identity: string; published: boolean }>(
    `SELECT n.nspname || '.' || c.relname AS name, c.relreplident AS identity,
            EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
                     WHERE p.pubname = 'bemi' AND (r.prrelid = c.oid
                        OR r.prrelid IN (SELECT relid FROM pg_partition_ancestors(c.oid)))) AS published
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|_|information_schema)'`,
  );
  return Object.fromEntries(rows.map(({ name, identity, published }) => [name, { identity, published }]));
}

test("a preview foresees the event triggers, and the publication that relies on them", async () => {
  const looking = testRun(db);
  const planned = await preview(looking, { allTables: true });
  await looking.end();
  expect(planned["identity"]).toContain(
    "Event triggers are created, which track new tables from their first row; where our role may not create them, the next up takes new tables in.",
  );
  expect(planned["publication"]).toEqual([
    "The publication bemi is created.",
    "1 table is added to the publication bemi: public.orders",
  ]);
  expect(await db.eventTriggers()).toEqual([]);
});
