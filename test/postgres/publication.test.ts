import { Client } from "pg";
import type { PublicationInputs, ReplicaIdentityInputs } from "../../provider/inputs";
import type { PublicationOutputs, ReplicaIdentityOutputs } from "../../provider/outputs";
import { publication } from "../../provider/postgres/publication";
import { replicaIdentity } from "../../provider/postgres/replicaIdentity";
import { runSql, testDatabase, type TestDatabase } from "../support/postgres";
import { TARGET, testRun, type TestRun } from "../support/session";

const LONGEST = "y".repeat(63);

const SHARED = { ...TARGET, trackNewTables: true, managedBy: "shop/production/orders" };
const INPUTS: PublicationInputs = { ...SHARED, schemas: ["public"], name: "bemi", adopt: false };
type Selection = Pick<PublicationInputs, "schemas" | "tables" | "allTables" | "excludeTables">;

let db: TestDatabase;
let run: TestRun;
const clients: Client[] = [];

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await owner(`
    CREATE TABLE plain (id int PRIMARY KEY, note text);
    CREATE TABLE keyless (note text);
    CREATE TABLE "Mixed ""Case"".dots and spaces 🙂" (note text);
    CREATE TABLE "${LONGEST}" (note text);
    CREATE TABLE parent (note text);
    CREATE SCHEMA far;
    CREATE TABLE far.child () INHERITS (public.parent);
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY LIST (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
    CREATE TABLE far.parted_2 PARTITION OF public.parted FOR VALUES IN (2);`);
});
afterEach(async () => {
  await Promise.all([run.end(), ...clients.splice(0).map((client) => client.end())]);
  await owner(`
    DROP SCHEMA IF EXISTS public, far, _bemi CASCADE;
    CREATE SCHEMA public;
    DROP PUBLICATION IF EXISTS bemi, bemi_new, bemi_old, theirs;`);
});

const ALL_LISTED = [
  "public.plain",
  "public.keyless",
  'public.Mixed "Case".dots and spaces 🙂',
  `public.${LONGEST}`,
  "public.parent",
  "public.parted",
];

test("lists the tracked tables, partitions through their parent, and goes without a trace", async () => {
  const stack = await up({ schemas: ["public"] });
  expect(stack.publication).toMatchObject({
    wanted: 8,
    done: 8,
    pending: [],
    form: "table list",
    created: true,
  });
  expect(await members()).toEqual([...ALL_LISTED].sort());
  await run.end();
  const observed = await publication.read({ ...INPUTS, ...stack.publication }, run);
  expect(observed).toEqual({ outputs: stack.publication, drift: {} });

  await down(stack);
  expect(await owner("SELECT FROM pg_publication")).toEqual([]);
  expect(
    await owner("SELECT FROM pg_class WHERE relkind IN ('r','p') AND relreplident <> 'd' AND oid >= 16384"),
  ).toEqual([]);
  await publication.delete({ ...INPUTS, ...stack.publication }, run);
});

test("without identities it publishes only what does not break, and names the rest", async () => {
  const outputs = await publication.create(
    { ...INPUTS, tables: ["public.keyless", "public.plain"], schemas: undefined },
    run,
  );
  expect(await members()).toEqual([]);
  expect(outputs.pending).toEqual([
    "public.keyless: not published: replica identity is not full yet",
    "public.plain: not published: replica identity is not full yet",
  ]);
  await owner("INSERT INTO keyless VALUES ('a'); UPDATE keyless SET note = 'b'");
});

test("sends the difference only, and restores a table only after it has left", async () => {
  const stack = await up({ schemas: ["public"] });
  const before = await rows();
  await owner("ALTER TABLE plain RENAME TO renamed; CREATE TABLE added (note text)");
  const selection = { schemas: ["public"], excludeTables: ["public.keyless", "public.parted"] };
  await run.end();
  await change(stack, selection);
  const after = await rows();
  const listed = (await members()).join(" ");
  expect(listed).toContain("public.added");
  expect(listed).toContain("public.renamed");
  expect(listed).not.toMatch(/keyless|parted/);
  // Rows of tables that stayed have not been touched.
  const kept = before.filter(({ oid }) => after.some((row) => row.oid === oid));
  expect(kept).toHaveLength(4);
  expect(await identity("keyless", "parted", "parted_1")).toEqual(["d", "d", "d"]);
  expect(await identity("renamed", "added")).toEqual(["f", "f"]);
  expect(await owner("SELECT FROM pg_class WHERE relname = 'parted_2' AND relreplident = 'd'")).toHaveLength(
    1,
  );
});

test("a partition that is tracked by itself goes over to its parent and back", async () => {
  const stack = await up({ tables: ["public.parted_1", "public.plain"] });
  expect(await members()).toEqual(["public.parted_1", "public.plain"]);
  await change(stack, { tables: ["public.parted", "public.plain"] });
  expect(await members()).toEqual(["public.parted", "public.plain"]);
  expect(await identity("parted_1")).toEqual(["f"]);
  await change(stack, { tables: ["public.parted_1", "public.plain"] });
  expect(await members()).toEqual(["public.parted_1", "public.plain"]);
  expect(await identity("parted", "parted_1")).toEqual(["d", "f"]);
});

test("what leaves waits for older writers, and what has to wait too long is finished by the next up", async () => {
  const stack = await up({ tables: ["public.parted_1", "public.plain"] });
  const writer = await connect();
  await writer.query("BEGIN; INSERT INTO keyless VALUES ('x')");
  await change(stack, { tables: ["public.parted", "public.plain"] });
  expect(await members()).toEqual(["public.parted", "public.parted_1", "public.plain"]);
  expect(run.lines.join("\n")).toMatch(/older transaction/);
  await writer.query("COMMIT");
  await run.end();
  const state = { ...stack.inputs, ...stack.publication };
  expect((await publication.read(state, run))?.drift).toEqual({
    "published but not tracked": "public.parted_1",
  });
  await publication.update(state, stack.inputs, run);
  expect(await members()).toEqual(["public.parted", "public.plain"]);
});

test("names and mends what somebody changed", async () => {
  const stack = await up({ schemas: ["public"] });
  await owner(`
    ALTER PUBLICATION bemi SET (publish = 'insert', publish_via_partition_root = true);
    ALTER PUBLICATION bemi DROP TABLE plain, keyless;
    ALTER PUBLICATION bemi ADD TABLE ONLY far.child;
    ALTER PUBLICATION bemi ADD TABLE keyless WHERE (note = 'x')`);
  await run.end();
  const state = { ...stack.inputs, ...stack.publication };
  expect((await publication.read(state, run))?.drift).toEqual({
    "not published": "public.plain",
    "published but not tracked": "far.child",
    "published in part": "public.keyless",
    options: "publish, publish_via_partition_root",
  });
  await publication.update(state, stack.inputs, run);
  await run.end();
  expect((await publication.read(state, run))?.drift).toEqual({});
  expect(await members()).toEqual([...ALL_LISTED].sort());
});

test("a dropped publication is gone, and is made again", async () => {
  const stack = await up({ schemas: ["public"] });
  await owner("DROP PUBLICATION bemi");
  await run.end();
  const state = { ...stack.inputs, ...stack.publication };
  expect(await publication.read(state, run)).toBeUndefined();
  await publication.delete(state, run);
  expect((await publication.create(stack.inputs, run)).done).toBe(8);
});

test("an interrupted create is continued", async () => {
  await replicaIdentity.create(identityInputs({ schemas: ["public"] }), run);
  const once = testRun(db, {
    checkpoint: () => {
      throw new Error("the engine is gone");
    },
  });
  await expect(publication.create(INPUTS, once)).rejects.toThrow("the engine is gone");
  await Promise.all([once.end(), run.end()]);
  expect(await members()).toEqual([]);
  expect(await publication.create(INPUTS, run)).toMatchObject({ done: 8, created: true });
});

test("somebody else's publication is an error, unless it is to be adopted: then it is given back as it was", async () => {
  await owner(`ALTER TABLE keyless REPLICA IDENTITY FULL; CREATE SCHEMA apart; CREATE TABLE apart.theirs (id int PRIMARY KEY);
    CREATE PUBLICATION bemi FOR TABLE keyless, apart.theirs WITH (publish = 'insert, update');
    COMMENT ON PUBLICATION bemi IS 'made by hand'`);
  const before = await describePublication();
  await expect(publication.create(INPUTS, run)).rejects.toThrow(/"bemi" exists already.*Set adopt/s);
  expect(await describePublication()).toEqual(before);

  const stack = await up({ schemas: ["public"] }, true);
  expect(stack.publication).toMatchObject({ created: false, done: 8 });
  expect(await members()).toEqual([...ALL_LISTED].sort());
  await run.end();
  const again = await publication.update({ ...stack.inputs, ...stack.publication }, stack.inputs, run);
  expect(again.created).toBe(false);

  await down(stack);
  expect(await describePublication()).toEqual(before);
  expect(await identity("keyless", "plain")).toEqual(["f", "d"]);
  expect(run.lines.join("\n")).toMatch(/bemi stays, as it was/);
  await owner("DROP SCHEMA apart CASCADE");
});

test.each([
  ["FOR ALL TABLES", /publishes all tables/],
  ["FOR TABLES IN SCHEMA public", /publishes schemas/],
  ["FOR TABLE plain (id)", /only some columns or rows of public\.plain/],
])("refuses to adopt a publication %s", async (form, reason) => {
  await runSql(db.superuserUri, "ALTER ROLE neondb_owner SUPERUSER");
  await owner(`CREATE PUBLICATION bemi ${form}`);
  await runSql(db.superuserUri, "ALTER ROLE neondb_owner NOSUPERUSER");
  await expect(publication.create({ ...INPUTS, adopt: true }, run)).rejects.toThrow(reason);
});

test("a publication that somebody made anew under the name survives a destroy", async () => {
  const stack = await up({ schemas: ["public"] });
  await owner("DROP PUBLICATION bemi; CREATE PUBLICATION bemi FOR TABLE plain");
  await run.end();
  const state = { ...stack.inputs, ...stack.publication };
  expect((await publication.read(state, run))?.drift).toMatchObject({ owner: "made again by somebody else" });
  await publication.delete(state, run);
  expect(await members()).toEqual(["public.plain"]);
});

test("one table under VACUUM does not keep the others out", async () => {
  await replicaIdentity.create(identityInputs({ schemas: ["public"] }), run);
  const holder = await connect();
  await holder.query("BEGIN; LOCK TABLE keyless IN SHARE UPDATE EXCLUSIVE MODE");
  const outputs = await publication.create(INPUTS, run);
  expect(outputs).toMatchObject({ wanted: 8, done: 7 });
  expect(outputs.pending).toEqual([expect.stringMatching(/^public\.keyless: not published: .*locked/)]);
  await holder.query("COMMIT");
  const finished = await publication.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(finished).toMatchObject({ done: 8, pending: [] });
});

test("all tables becomes a list where the role may not have more", async () => {
  const stack = await up({ allTables: true });
  expect(stack.publication).toMatchObject({ form: "table list", wanted: 9, done: 9 });
  expect(await members()).toEqual([...ALL_LISTED, "far.child"].sort());
});

interface Stack {
  inputs: PublicationInputs;
  identity: ReplicaIdentityOutputs;
  publication: PublicationOutputs;
}

function identityInputs(selection: Selection): ReplicaIdentityInputs {
  return { ...SHARED, ...selection, publication: "bemi" };
}

async function up(selection: Selection, adopt = false): Promise<Stack> {
  const inputs = { ...SHARED, ...selection, name: "bemi", adopt };
  const identity = await replicaIdentity.create(identityInputs(selection), run);
  return { inputs, identity, publication: await publication.create(inputs, run) };
}

async function change(stack: Stack, selection: Selection): Promise<void> {
  const inputs = { ...SHARED, ...selection, name: "bemi", adopt: false };
  const wanted = identityInputs(selection);
  stack.identity = await replicaIdentity.update({ ...wanted, ...stack.identity }, wanted, run);
  stack.publication = await publication.update({ ...stack.inputs, ...stack.publication }, inputs, run);
  stack.inputs = inputs;
}

async function down(stack: Stack): Promise<void> {
  await run.end();
  await publication.delete({ ...stack.inputs, ...stack.publication }, run);
  await replicaIdentity.delete({ ...identityInputs(stack.inputs), ...stack.identity }, run);
}

async function owner<Row extends object>(statement: string): Promise<Row[]> {
  return runSql<Row>(db.ownerUri, statement);
}

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: db.ownerUri });
  await client.connect();
  clients.push(client);
  return client;
}

async function members(): Promise<string[]> {
  const found = await owner<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_publication_rel r
       JOIN pg_publication p ON p.oid = r.prpubid AND p.pubname = 'bemi'
       JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace`,
  );
  return found.map(({ name }) => name).sort();
}

async function rows(): Promise<{ oid: number }[]> {
  return owner("SELECT oid FROM pg_publication_rel");
}

async function describePublication(): Promise<object> {
  const options = await owner(
    `SELECT to_jsonb(p) AS p, obj_description(p.oid, 'pg_publication') AS comment FROM pg_publication p WHERE pubname = 'bemi'`,
  );
  return { options, members: await members() };
}

async function identity(...names: string[]): Promise<string[]> {
  const found = await owner<{ relname: string; relreplident: string }>(
    "SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'public'::regnamespace",
  );
  return names.map((name) => found.find(({ relname }) => relname === name)?.relreplident ?? "gone");
}
