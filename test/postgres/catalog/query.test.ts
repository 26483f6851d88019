import type { Catalog } from "../../../provider/contract/catalog";
import { readCatalog } from "../../../provider/postgres/catalog/query";
import { formatTableName } from "../../../provider/postgres/catalog/tableNames";
import { listed, table } from "../../support/catalog";
import { has } from "../../support/features";
import { DEFAULT_VERSION, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";

let db: TestDatabase;
let run: TestRun;
let catalog: Catalog;

const SCHEMA = `
  CREATE SCHEMA "Odd.Schema"; COMMENT ON SCHEMA "Odd.Schema" IS 'a comment';
  CREATE TABLE plain (id int PRIMARY KEY);
  CREATE TABLE "Odd.Schema"."say ""hi"" ☂" (v text);
  CREATE TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE indexed (id int NOT NULL); CREATE UNIQUE INDEX by_id ON indexed (id);
  ALTER TABLE indexed REPLICA IDENTITY USING INDEX by_id;
  CREATE TABLE unindexed (id int NOT NULL); CREATE UNIQUE INDEX dropped ON unindexed (id);
  ALTER TABLE unindexed REPLICA IDENTITY USING INDEX dropped; DROP INDEX dropped;
  CREATE TABLE silent (id int); ALTER TABLE silent REPLICA IDENTITY NOTHING;
  CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE UNLOGGED TABLE cache (id int);
  CREATE TABLE sums (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
  CREATE TABLE guarded (id int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
  CREATE TABLE root (k int, l int) PARTITION BY RANGE (k);
  CREATE TABLE middle PARTITION OF root FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (l);
  CREATE TABLE "Odd.Schema".leaf PARTITION OF middle FOR VALUES FROM (0) TO (10);
  CREATE TABLE heir () INHERITS (plain);
  CREATE VIEW seen AS SELECT 1 AS one; CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one;
  CREATE ROLE app; GRANT app TO neondb_owner; GRANT CREATE ON SCHEMA public TO app;
  SET ROLE app; CREATE TABLE apps (id int); RESET ROLE;
  CREATE ROLE stranger NOLOGIN CONNECTION LIMIT 2; COMMENT ON ROLE stranger IS 'who';
  ALTER ROLE stranger SET work_mem = '8MB'; GRANT app TO stranger;
  CREATE PUBLICATION listed FOR TABLE plain, sums ${has("column lists") ? "(a)" : ""},
    guarded ${has("row filters") ? "WHERE (id > 1)" : ""} WITH (publish = 'insert');
  CREATE TEMP TABLE mine (id int);`;

beforeAll(async () => {
  // The sandbox makes event triggers of its own for the profile `neon`.
  db = await testDatabase({ profile: "strict", sql: SCHEMA });
  run = testRun(db);
  await runSql(
    db.superuserUri,
    `CREATE TABLE admins (id int);
     CREATE TABLE membered (id int); ALTER EXTENSION plpgsql ADD TABLE membered;
     CREATE PUBLICATION by_schema ${has("publications of schemas") ? 'FOR TABLES IN SCHEMA "Odd.Schema"' : ""};
     CREATE FUNCTION nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
     CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION nothing(); ALTER EVENT TRIGGER watch DISABLE;
     COMMENT ON EVENT TRIGGER watch IS 'mark';`,
  );
  await runSql(db.superuserUri, "SELECT pg_create_logical_replication_slot('waiting', 'pgoutput')");
  catalog = await run.session((session) => session.catalog());
});

afterAll(async () => {
  await run.end();
  await db.close();
});

function find(name: string) {
  const found = catalog.tables.find((candidate) => formatTableName(candidate) === name);
  if (found === undefined) throw new Error(`no table ${name}`);
  return found;
}

test("reads every table of a non-system schema, and no other", () => {
  expect(catalog.tables.map(formatTableName).sort()).toEqual(
    [
      '"Odd.Schema"."say ""hi"" ☂"',
      '"Odd.Schema".leaf',
      ...[
        "admins",
        "apps",
        "cache",
        "guarded",
        "heir",
        "indexed",
        "late",
        "membered",
        "middle",
        "plain",
        "root",
      ].map((name) => `public.${name}`),
      ...["silent", "sums", "unindexed", "whole"].map((name) => `public.${name}`),
    ].sort(),
  );
  expect(catalog.otherRelations).toEqual([
    { schema: "public", name: "seen", kind: "view" },
    { schema: "public", name: "kept", kind: "materialized view" },
  ]);
  expect(catalog.schemas.map(({ name, owner, comment }) => [name, owner, comment]).sort()).toEqual([
    ["Odd.Schema", "neondb_owner", "a comment"],
    ["public", "pg_database_owner", "standard public schema"],
  ]);
});

test("reads the facts of a table", () => {
  // What other tests plan from is what a server says.
  const plain = find("public.plain");
  expect(plain).toEqual(table("public.plain", { oid: plain.oid, listedIn: listed("listed") }));
  expect(find("public.late").hasPrimaryKey).toBe(false);
  expect(find("public.indexed")).toMatchObject({
    identity: "index",
    identityIndex: { oid: expect.any(Number) as number, name: "by_id", columns: ["id"] },
  });
  expect(find("public.unindexed")).toMatchObject({ identity: "index", identityIndex: null });
  expect(find("public.silent").identity).toBe("nothing");
  expect(find("public.whole").identity).toBe("full");
  expect(find("public.cache").persistence).toBe("unlogged");
  expect(find("public.membered").extensionMember).toBe(true);
  expect(find("public.sums")).toMatchObject({
    storedGenerated: true,
    virtualGenerated: false,
    listedIn: listed("listed", has("column lists")),
  });
  expect(find("public.guarded")).toMatchObject({
    rowSecurity: true,
    listedIn: [{ publication: "listed", columnList: false, rowFilter: has("row filters") }],
  });
  expect(find("public.apps")).toMatchObject({ owner: "app", mayAlter: true });
  expect(find("public.admins")).toMatchObject({ owner: "cloud_admin", mayAlter: false });
});

test("knows the ancestors of partitions; an inheritance child has none", () => {
  const [root, middle] = [find("public.root"), find("public.middle")];
  expect(root).toMatchObject({ partitioned: true, ancestors: [] });
  expect(middle).toMatchObject({ partitioned: true, ancestors: [root.oid] });
  expect(find('"Odd.Schema".leaf')).toMatchObject({ partitioned: false, ancestors: [middle.oid, root.oid] });
  expect(find("public.heir").ancestors).toEqual([]);
});

test("reads server, roles, publications, slots and event triggers", () => {
  expect(catalog.server).toMatchObject({
    walLevel: "logical",
    inRecovery: false,
    currentRole: "neondb_owner",
    currentRoleIsSuperuser: false,
    currentRoleMayReplicate: true,
    currentRoleMayCreateRoles: true,
    eventTriggersOff: [],
    mayCreateInDatabase: true,
  });
  expect(catalog.roles.find(({ name }) => name === "stranger")).toMatchObject({
    canLogin: false,
    replication: false,
    connectionLimit: 2,
    comment: "who",
    settings: ["work_mem=8MB"],
    memberOf: ["app"],
    mayConnect: true,
  });
  expect(catalog.roles.some(({ name }) => name.startsWith("pg_"))).toBe(false);
  const byName = new Map(catalog.publications.map((publication) => [publication.name, publication]));
  expect(byName.get("listed")).toMatchObject({ mayAlter: true, insert: true, update: false, schemas: [] });
  expect(byName.get("by_schema")).toMatchObject({
    mayAlter: false,
    schemas: has("publications of schemas") ? ["Odd.Schema"] : [],
    update: true,
  });
  // The option publish_generated_columns is new in 18.
  expect(byName.get("listed")?.generatedColumns).toBe(DEFAULT_VERSION < 18 ? null : "none");
  expect(catalog.slots).toEqual([
    expect.objectContaining({
      name: "waiting",
      database: "neondb",
      active: false,
      walStatus: "reserved",
    }) as object,
  ]);
  expect(catalog.slots[0]?.retainedBytes).toEqual(expect.any(Number));
  expect(catalog.eventTriggers).toEqual([
    { name: "watch", enabled: false, owner: "cloud_admin", comment: "mark" },
  ]);
});

test("reads the same tables as the least privileged role", async () => {
  await runSql(db.ownerUri, "CREATE ROLE least LOGIN PASSWORD 'least-password-1'");
  const ownerUri = new URL(db.ownerUri);
  ownerUri.username = "least";
  ownerUri.password = "least-password-1";
  const other = testRun({ ...db, ownerUri: ownerUri.href });
  const seen = await other.session((session) => session.catalog());
  await other.end();
  expect(seen.tables.map(({ oid }) => oid).sort()).toEqual(catalog.tables.map(({ oid }) => oid).sort());
  expect(seen.tables.every(({ mayAlter }) => !mayAlter)).toBe(true);
});

test("locks none of the tables it describes, and takes AccessShare locks only", async () => {
  const locks = await run.session(async (session) => {
    await session.read("BEGIN");
    await session.freshCatalog();
    const rows = await session.read<{ name: string; mode: string }>(
      `SELECT relation::regclass::text AS name, mode FROM pg_locks
        WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation >= 16384`,
    );
    const modes = await session.read<{ mode: string }>(
      "SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'",
    );
    await session.write("ROLLBACK");
    return { rows, modes };
  });
  expect(locks).toEqual({ rows: [], modes: [{ mode: "AccessShareLock" }] });
});

test("gives the same with the statement for PostgreSQL 14, except what 14 lacks", async () => {
  const old = await run.session((session) =>
    readCatalog({ read: (statement) => session.read(statement), serverVersion: 140000 }),
  );
  expect(old.tables.map(({ listedIn, ...rest }) => ({ ...rest, listedIn: listedIn.length }))).toEqual(
    catalog.tables.map(({ listedIn, ...rest }) => ({ ...rest, listedIn: listedIn.length })),
  );
  expect(old.publications.flatMap(({ schemas }) => schemas)).toEqual([]);
});

test("reads only the beginning of comments and settings that other roles have written", async () => {
  await runSql(
    db.superuserUri,
    `DO $$ BEGIN
       EXECUTE format('COMMENT ON ROLE stranger IS %L', repeat('x', 1000000));
       EXECUTE format('COMMENT ON SCHEMA "Odd.Schema" IS %L', repeat('x', 1000000));
       EXECUTE format('ALTER ROLE stranger SET a.b = %L', repeat('x', 1000000));
     END $$`,
  );
  const read = await run.session((session) => session.freshCatalog());
  expect(JSON.stringify(read).length).toBeLessThan(300_000);
  expect(read.roles.find(({ name }) => name === "stranger")?.comment).toHaveLength(65_536);
});
