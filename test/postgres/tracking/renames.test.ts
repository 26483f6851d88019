import type { PublicationInputs } from "../../../provider/contract/kinds/publication";
import type { ReplicaIdentityInputs } from "../../../provider/contract/kinds/replicaIdentity";
import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, type TestRun } from "../../support/run";
import { identities, members } from "../../support/tables";

const COMMON = {
  ...TARGET,
  schemas: ["public"],
  excludeTables: ["public.sessions", "archive.secrets"],
  trackNewTables: true,
  managedBy: "shop/production/orders",
};
const IDENTITY: ReplicaIdentityInputs = { ...COMMON, publication: "bemi" };
const PUBLICATION: PublicationInputs = { ...COMMON, name: "bemi", adopt: false };

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

test("a copy that takes the name of an excluded table is published no longer", async () => {
  await up("CREATE TABLE sessions (id int); CREATE TABLE orders (id int)");
  await db.sql("CREATE TABLE sessions_copy (id int)");
  expect(await members(db)).toEqual(["public.orders", "public.sessions_copy"]);
  await db.sql(`BEGIN; ALTER TABLE sessions RENAME TO sessions_old;
    ALTER TABLE sessions_copy RENAME TO sessions; DROP TABLE sessions_old; COMMIT`);
  expect(await members(db)).toEqual(["public.orders"]);
});

test("a table that leaves the selection leaves the publication", async () => {
  await up("CREATE SCHEMA archive; CREATE TABLE old (id int); CREATE TABLE secrets (id int)");
  await db.sql("ALTER TABLE old SET SCHEMA archive");
  expect(await members(db)).toEqual(["public.secrets"]);
  // Its schema takes the name of another one.
  await db.sql("DROP SCHEMA archive CASCADE; ALTER SCHEMA public RENAME TO archive; CREATE SCHEMA public");
  expect(await members(db)).toEqual([]);
});

test("a table that leaves the selection is FULL until the next up gives back what it was", async () => {
  const state = await up(`CREATE SCHEMA archive; CREATE TABLE plain (id int);
    CREATE TABLE quiet (id int); ALTER TABLE quiet REPLICA IDENTITY NOTHING;
    CREATE TABLE indexed (id int NOT NULL UNIQUE); ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id_key;
    CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL`);
  const before = { indexed: "i", plain: "d", quiet: "n", whole: "f" };
  const names = Object.keys(before);
  const move = (from: string, to: string) =>
    db.sql(names.map((name) => `ALTER TABLE ${from}.${name} SET SCHEMA ${to}`).join("; "));
  const nextUp = async () => {
    await run.end();
    await replicaIdentity.update({ ...IDENTITY, ...state.full }, IDENTITY, run);
    const found = Object.entries(await identities(db));
    return Object.fromEntries(
      found.map(([name, identity]) => [name.split(".")[1] ?? name, identity]),
    ) as Record<string, string>;
  };
  await move("public", "archive");
  await run.end();
  const seen = await replicaIdentity.read({ ...IDENTITY, ...state.full }, run);
  expect(Object.keys(seen?.drift ?? {})).toEqual(["identityNotRestored"]);
  expect(seen?.drift?.identityNotRestored?.split(", ").sort()).toEqual(
    ["indexed", "plain", "quiet"].map((name) => `archive.${name}`),
  );

  // Back in the selection, the tables are tracked as if they had never left it.
  await move("archive", "public");
  expect(await members(db)).toEqual(names.map((name) => `public.${name}`));
  expect(await nextUp()).toEqual({ indexed: "f", plain: "f", quiet: "f", whole: "f" });
  await move("public", "archive");
  await db.sql("ALTER SCHEMA archive RENAME TO elsewhere");
  expect(await nextUp()).toEqual(before);
});

test.each(["", "CONCURRENTLY"])("a partition that is detached %s is listed by itself", async (how) => {
  await up(`CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE SCHEMA elsewhere;
    CREATE TABLE one PARTITION OF parted FOR VALUES IN (1);
    CREATE TABLE elsewhere.two PARTITION OF parted FOR VALUES IN (2)`);
  expect(await members(db)).toEqual(["public.parted"]);
  const client = await db.connect();
  // In subtransactions, where that is possible, as a migration in a function has them.
  for (const name of ["one", "elsewhere.two"]) {
    const detach = `ALTER TABLE parted DETACH PARTITION ${name} ${how}`;
    await client.query(
      how === "" ? `DO $$ BEGIN ${detach}; EXCEPTION WHEN division_by_zero THEN NULL; END $$` : detach,
    );
  }
  expect(await members(db)).toEqual(["public.one", "public.parted"]);
  expect(await identities(db)).toMatchObject({ "public.one": "f" });
});

test("a schema that takes a selected name locks no table; the next up tracks its tables", async () => {
  const state = await up("CREATE SCHEMA staging; CREATE TABLE staging.orders (id int)");
  const migration = await db.connect();
  await migration.query("BEGIN; DROP SCHEMA public; ALTER SCHEMA staging RENAME TO public");
  const app = await db.connect();
  await app.query("SET lock_timeout = '100ms'; INSERT INTO staging.orders VALUES (1)");
  await migration.query("COMMIT");
  await run.end();
  const seen = await publication.read({ ...PUBLICATION, ...state.list }, run);
  expect(seen?.drift).toEqual({ notPublished: "public.orders" });
  await replicaIdentity.update({ ...IDENTITY, ...state.full }, IDENTITY, run);
  await publication.update({ ...PUBLICATION, ...state.list }, PUBLICATION, run);
  expect(await members(db)).toEqual(["public.orders"]);
});

test("a named parent stands for the tables that inherit from it, old and new", async () => {
  const named = { schemas: undefined, tables: ["public.parent"], excludeTables: ["far.excluded"] };
  await up(
    `CREATE TABLE parent (id int, note text); CREATE SCHEMA far; CREATE TABLE far.child () INHERITS (parent);
     CREATE TABLE far.joining (id int, note text); CREATE TABLE far.alone (id int)`,
    named,
  );
  expect(await members(db)).toEqual(["far.child", "public.parent"]);
  await db.sql(`SELECT pg_create_logical_replication_slot('through', 'pgoutput')`);
  await db.sql(`CREATE TABLE far.later () INHERITS (far.child); ALTER TABLE far.joining INHERIT parent;
    CREATE TABLE far.excluded () INHERITS (parent)`);
  expect(await members(db)).toEqual(["far.child", "far.joining", "far.later", "public.parent"]);

  await db.sql(
    "INSERT INTO far.child VALUES (1); INSERT INTO far.later VALUES (2); INSERT INTO far.joining VALUES (3)",
  );
  await db.sql("UPDATE parent SET note = 'changed'");
  await db.sql("DELETE FROM parent");
  const [row] = await db.sql<{ kinds: string }>(
    `SELECT regexp_replace(string_agg(chr(get_byte(data, 0)), '' ORDER BY n), '[BRC]', '', 'g') AS kinds
       FROM pg_logical_slot_get_binary_changes('through', NULL, NULL,
              'proto_version', '1', 'publication_names', 'bemi') WITH ORDINALITY c (lsn, xid, data, n)`,
  );
  await db.sql("SELECT pg_drop_replication_slot('through')");
  expect(row?.kinds).toBe("IIIUUUDDD");
  // A table that takes the name of the parent brings its own children along.
  await db.sql(`DROP TABLE parent CASCADE; CREATE TABLE other (id int); CREATE TABLE far.heir () INHERITS (other);
    ALTER TABLE other RENAME TO parent`);
  expect(await members(db)).toEqual(["far.heir", "public.parent"]);
});

async function up(sql: string, selection: Partial<ReplicaIdentityInputs> = {}) {
  await db.sql(sql);
  const full = await replicaIdentity.create({ ...IDENTITY, ...selection }, run);
  const list = await publication.create({ ...PUBLICATION, ...selection }, run);
  return { full, list };
}
