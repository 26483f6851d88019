import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";
import {
  change,
  down,
  identityInputs,
  preview,
  up,
  type Stack,
  type TrackingArgs,
} from "../../support/stack";
import { identities as identitiesOf, members } from "../../support/tables";

/** Every table of the schema keeps its key, but those that are named. */
const KEYS: TrackingArgs = {
  schemas: ["public"],
  identity: { default: "primaryKey", tables: { "public.whole": "full", "public.by_month_2": "full" } },
};
/** Nothing but one table keeps its key. */
const ONE: TrackingArgs = {
  schemas: ["public"],
  identity: { default: "full", tables: { "public.documents": "primaryKey" } },
};

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase({ profile: "neon" });
});
afterAll(() => db.close());
beforeEach(() => {
  run = testRun(db);
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

/** The replica identity of every table by its name; all are in schema public. */
async function identities(of: Pick<TestDatabase, "sql">): Promise<Record<string, string>> {
  const found = await identitiesOf(of);
  return Object.fromEntries(
    Object.entries(found).map(([name, identity]) => [name.replace(/^public\./, ""), identity]),
  );
}

/** Writes each of the tables, in a transaction of its own: what the trail publishes must not refuse it. */
async function write(...names: string[]): Promise<void> {
  for (const name of names)
    await db.sql(`INSERT INTO ${name} (id) VALUES (1); UPDATE ${name} SET id = 1; DELETE FROM ${name}`);
}

test("publishes a new table with its key, and with FULL where it has none", async () => {
  await up(run, KEYS);
  await db.sql(`
    CREATE TABLE keyed (id int PRIMARY KEY);
    CREATE TABLE keyless (id int);
    CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE);
    CREATE TABLE copied AS SELECT 1 AS id;
    CREATE TABLE whole (id int PRIMARY KEY);
    CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE indexed (id int NOT NULL UNIQUE);
    ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id_key`);
  const names = ["copied", "deferred", "indexed", "keyed", "keyless", "nothing", "whole"];
  expect(await members(db)).toEqual(names.map((name) => `public.${name}`));
  expect(await identities(db)).toEqual({
    keyed: "d",
    keyless: "f",
    deferred: "f",
    copied: "f",
    whole: "f",
    nothing: "f",
    indexed: "i",
  });
  await write(...names);
});

test("gives a table its key when a migration adds it, and FULL when one drops it", async () => {
  const stack = await up(run, KEYS);
  const migration = await db.connect();
  const during = {
    sql: <Row extends object>(text: string) => migration.query<Row>(text).then(({ rows }) => rows),
  };
  await migration.query("BEGIN; CREATE TABLE made (id int); INSERT INTO made VALUES (1)");
  expect(await identities(during)).toEqual({ made: "f" });
  await migration.query("UPDATE made SET id = 1; ALTER TABLE made ADD PRIMARY KEY (id)");
  expect(await identities(during)).toEqual({ made: "d" });
  await migration.query("UPDATE made SET id = 2; COMMIT");
  expect(await identities(db)).toEqual({ made: "d" });
  await db.sql("CREATE TABLE later (id int)");
  await db.sql("CREATE UNIQUE INDEX later_id ON later (id); ALTER TABLE later ALTER id SET NOT NULL");
  expect(await identities(db)).toEqual({ made: "d", later: "f" });
  await db.sql("ALTER TABLE later ADD PRIMARY KEY USING INDEX later_id");
  expect(await identities(db)).toEqual({ made: "d", later: "d" });

  await db.sql("ALTER TABLE made DROP CONSTRAINT made_pkey; ALTER TABLE later DROP COLUMN id, ADD id int");
  expect(await identities(db)).toEqual({ made: "f", later: "f" });
  expect(await members(db)).toEqual(["public.later", "public.made"]);
  await write("made", "later");
  // No up fails because of it. Destroy gives back what a table had.
  const again = await change(run, stack, KEYS);
  expect(again.identity).toMatchObject({ wanted: 2, done: 2 });
  expect(await identities(db)).toEqual({ made: "f", later: "f" });
  await down(run, again);
  expect(await identities(db)).toEqual({ made: "d", later: "d" });
});

test("leaves a table FULL that its application has set to FULL", async () => {
  await db.sql("CREATE TABLE own (id int PRIMARY KEY); ALTER TABLE own REPLICA IDENTITY FULL");
  const stack = await up(run, KEYS);
  await db.sql("ALTER TABLE own DROP CONSTRAINT own_pkey; ALTER TABLE own ADD PRIMARY KEY (id)");
  expect(await identities(db)).toEqual({ own: "f" });
  const again = await change(run, stack, KEYS);
  expect(await identities(db)).toEqual({ own: "f" });
  await down(run, again);
  expect(await identities(db)).toEqual({ own: "f" });
});

test("a partition follows the nearest table above it that identity names", async () => {
  await db.sql(`
    CREATE TABLE by_month (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE by_month_1 PARTITION OF by_month FOR VALUES FROM (0) TO (9);
    CREATE TABLE documents (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE documents_1 PARTITION OF documents FOR VALUES FROM (0) TO (9)`);
  const partitions = `
    CREATE TABLE by_month_2 PARTITION OF by_month FOR VALUES FROM (9) TO (19) PARTITION BY RANGE (id);
    CREATE TABLE deep PARTITION OF by_month_2 FOR VALUES FROM (9) TO (19);
    CREATE TABLE documents_2 PARTITION OF documents FOR VALUES FROM (9) TO (19)`;
  const stack = await up(run, KEYS);
  await db.sql(partitions);
  const keys = { by_month: "d", by_month_1: "d", documents: "d", documents_1: "d", documents_2: "d" };
  expect(await identities(db)).toEqual({ ...keys, by_month_2: "f", deep: "f" });
  // An up sees it in the same way.
  const same = await change(run, stack, KEYS);
  expect(await identities(db)).toEqual({ ...keys, by_month_2: "f", deep: "f" });
  await change(run, same, ONE);
  await db.sql("DROP TABLE deep; CREATE TABLE deep PARTITION OF by_month_2 FOR VALUES FROM (9) TO (19)");
  expect(await identities(db)).toEqual({
    documents: "d",
    documents_1: "d",
    documents_2: "d",
    by_month: "f",
    by_month_1: "f",
    by_month_2: "f",
    deep: "f",
  });
  expect(await members(db)).toEqual(["public.by_month", "public.documents"]);
  await write("by_month", "documents");
});

test("a change of identity gives tables back their own identity, and takes it again", async () => {
  await db.sql(`
    CREATE TABLE documents (id int PRIMARY KEY);
    CREATE TABLE indexed (id int NOT NULL UNIQUE);
    ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id_key;
    CREATE TABLE whole (id int)`);
  const before = await identities(db);
  let stack: Stack = await up(run, { schemas: ["public"] });
  expect(await identities(db)).toEqual({ documents: "f", indexed: "f", whole: "f" });
  stack = await change(run, stack, KEYS);
  expect(await identities(db)).toEqual({ documents: "d", indexed: "i", whole: "f" });
  expect(stack.publication).toMatchObject({ wanted: 3, done: 3, pending: [] });
  await write("documents", "indexed", "whole");
  stack = await change(run, stack, ONE);
  expect(await identities(db)).toEqual({ documents: "d", indexed: "f", whole: "f" });
  await down(run, stack);
  expect(await identities(db)).toEqual(before);
});

test("two trails that ask for different identities end with FULL, and do not go on for ever", async () => {
  await up(run, KEYS);
  const theirs = {
    ...identityInputs({ schemas: ["public"] }),
    publication: "theirs",
    managedBy: "shop/x/theirs",
  };
  const other = await replicaIdentity.create(theirs, run);
  const start = Date.now();
  await db.sql("CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE made (id int)");
  await db.sql("ALTER TABLE made ADD PRIMARY KEY (id)");
  expect(Date.now() - start).toBeLessThan(5000);
  expect(await identities(db)).toEqual({ keyed: "f", made: "f" });
  expect(await members(db)).toEqual(["public.keyed", "public.made"]);
  await run.end();
  await replicaIdentity.delete({ ...theirs, ...other }, run);
  // The trail that is left gives the tables their keys back.
  await run.end();
  await replicaIdentity.update(identityInputs(KEYS), identityInputs(KEYS), run);
  expect(await identities(db)).toEqual({ keyed: "d", made: "d" });
});

test("a preview names tables that keep their key, and refuses those that have none", async () => {
  await db.sql("CREATE TABLE documents (id int PRIMARY KEY, body text); CREATE TABLE keyless (id int)");
  const line =
    "1 table keeps its key as replica identity, so the row before a change is not captured: public.documents";
  const look = async (args: TrackingArgs, stack?: Stack): Promise<readonly string[]> => {
    const looking = testRun(db);
    const planned = await preview(looking, args, stack === undefined ? {} : { stack }).finally(() =>
      looking.end(),
    );
    return planned["identity"] ?? [];
  };
  expect(await look(ONE)).toContain(line);
  const all = { ...ONE, identity: { default: "primaryKey" } } as const;
  const why =
    /Nothing was changed.*\n.*public\.keyless cannot keep its key .*Give it a primary key, set it to "full"/;
  await expect(look(all)).rejects.toThrow(why);
  await expect(up(run, all)).rejects.toThrow(why);
  const stack = await up(run, ONE);
  expect(await look(ONE, stack)).not.toContain(line);
  await expect(look(all, stack)).rejects.toThrow(why);
  expect(await identities(db)).toEqual({ documents: "d", keyless: "f" });
});

describe("without event triggers", () => {
  const byHand = { ...KEYS, trackNewTables: false };

  test("an up mends a table that has lost its key, and takes in a new one without a key", async () => {
    await db.sql("CREATE TABLE lost (id int PRIMARY KEY); CREATE TABLE kept (id int PRIMARY KEY)");
    const stack = await up(run, byHand);
    await db.sql("ALTER TABLE lost DROP CONSTRAINT lost_pkey; CREATE TABLE late (id int)");
    await expect(write("lost")).rejects.toThrow(/cannot update table "lost"/);
    await run.end();
    const again = await change(run, stack, byHand);
    expect(await identities(db)).toEqual({ lost: "f", kept: "d", late: "f" });
    await write("lost", "kept", "late");
    await down(run, again);
    expect(await identities(db)).toEqual({ lost: "d", kept: "d", late: "d" });
  });

  test("FULL that somebody sets is drift, and the next up takes it back", async () => {
    await db.sql(
      "CREATE TABLE kept (id int NOT NULL UNIQUE); ALTER TABLE kept REPLICA IDENTITY USING INDEX kept_id_key",
    );
    const stack = await up(run, byHand);
    await db.sql("ALTER TABLE kept REPLICA IDENTITY FULL");
    await write("kept");
    await run.end();
    const seen = await replicaIdentity.read({ ...identityInputs(byHand), ...stack.identity }, run);
    expect(seen?.drift).toEqual({ identityNotRestored: "public.kept" });
    await change(run, stack, byHand);
    expect(await identities(db)).toEqual({ kept: "i" });
  });
});
