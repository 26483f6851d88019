import { readFileSync } from "node:fs";
import path from "node:path";
import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { PROJECT } from "../../../tools/pulumiCli";
import { newDatabase, uriTo } from "../../support/catalogState";
import { pgDump, runPg } from "../../support/pgDump";
import { runSql, testDatabase, USERS_EVENT_TRIGGERS, type TestDatabase } from "../../support/postgres";
import { refusal } from "../../support/refusal";
import { TARGET, testRun, type TestRun } from "../../support/run";
import { removeScratch, scratch } from "../../support/scratch";
import { identityInputs, publicationInputs } from "../../support/stack";
import { identities, members } from "../../support/tables";
import { Trail } from "../../support/trail";

const found = pgDump();
if ("unavailable" in found) process.stderr.write(`Dumps are not tested: ${found.unavailable}\n`);
const bin = "bin" in found ? found.bin : "";

const PUBLIC = { schemas: ["public"] };

/** What pg_restore cannot do in any database of Neon's: default privileges of Neon's superuser are in every dump. */
const NEONS_OWN =
  /default privileges|ALTER DEFAULT PRIVILEGES FOR ROLE cloud_admin|errors ignored on restore: 2/;

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase({
    // Of the version of pg_dump: it refuses a newer server, and writes for its own.
    version: 17,
    profile: "neon",
    sql: `CREATE TABLE plain (id int PRIMARY KEY, note text);
      CREATE TABLE keyless (note text);
      CREATE TABLE nothing (note text);
      ALTER TABLE nothing REPLICA IDENTITY NOTHING;
      CREATE TABLE indexed (id int NOT NULL, note text);
      CREATE UNIQUE INDEX by_id ON indexed (id);
      ALTER TABLE indexed REPLICA IDENTITY USING INDEX by_id;
      CREATE TABLE whole (note text);
      ALTER TABLE whole REPLICA IDENTITY FULL;
      INSERT INTO keyless VALUES ('a')`,
  });
  await runSql(
    db.superuserUri,
    `CREATE ROLE reader LOGIN PASSWORD 'reader';
     GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`,
  );
});
afterAll(() => db.close());

/**
 * Dumps as people make them, with the programs that they use, of a database that a trail has tracked. One test after the
 * other works on the same dump.
 */
("bin" in found ? describe : describe.skip)("dumps", () => {
  let trail: Trail;
  let run: TestRun;
  let dump: string;
  let before: Record<string, string>;

  beforeAll(async () => {
    before = await identities(db);
    dump = path.join(scratch(), "full.dump");
    trail = new Trail(() => testRun(db));
    await trail.up({ ...TARGET, ...PUBLIC, createdBy: "sql" });
    expect(await runPg(bin, "pg_dump", ["-Fc", "--file", dump, "--dbname", db.ownerUri])).toEqual([]);
  });
  afterAll(() => {
    removeScratch();
  });
  beforeEach(() => {
    run = testRun(db);
  });
  afterEach(() => run.end());

  test("a role that only reads the application's tables dumps as it did without a trail", async () => {
    const uri = new URL(db.ownerUri);
    uri.username = uri.password = "reader";
    const file = path.join(path.dirname(dump), "reader.dump");
    expect(await runPg(bin, "pg_dump", ["-Fc", "--file", file, "--dbname", uri.href])).toEqual([]);
    const copy = await newDatabase(db);
    expect(await restore(copy, file)).toEqual([]);
    expect(await runSql(uriTo(db.ownerUri, copy), "SELECT note FROM keyless")).toEqual([{ note: "a" }]);
  });

  test("restored into another database of the branch, the trail is adopted, and gives back what was before", async () => {
    const copy = await newDatabase(db);
    expect(await restore(copy, dump)).toEqual([]);
    const target = { ...TARGET, database: copy };
    const inputs = { ...publicationInputs(PUBLIC), ...target, managedBy: "shop/production/copy" };
    expect(await refusal(publication.create(inputs, run))).toMatch(
      /^Publication "bemi" exists already and came with a dump or a copy of database neondb: it was made there by shop\/production\/orders-publication\. Set adopt: true/,
    );
    await adopts(copy, { ...target, managedBy: "shop/production/copy" });
  });

  test("restored over the tracked database, the trail is as it was, and destroy gives everything back", async () => {
    expect(await restore("neondb", dump, "--clean", "--if-exists")).toEqual([]);
    await trail.refresh();
    expect(trail.drift).toEqual({});
    // So that a consumer never finds the publication missing.
    expect(await restore("neondb", dump, "--clean", "--if-exists", "--no-publications")).toEqual([]);
    await trail.up({ ...TARGET, ...PUBLIC, createdBy: "sql" });
    await trail.refresh();
    expect(trail.drift).toEqual({});
    await db.sql("CREATE TABLE later (note text); ALTER INDEX by_id RENAME TO renamed");
    expect(await identities(db)).toMatchObject({ "public.later": "f" });
    await trail.destroy();
    expect(await identities(db)).toEqual({ ...before, "public.later": "d" });
    expect(await replicaIndex(db.ownerUri)).toEqual([{ index: "renamed" }]);
    await db.sql("DROP TABLE later");
  });

  test("restored into another project, the trail is adopted, and gives back what was before", async () => {
    const copy = await newDatabase(db);
    // Roles are in no dump. The test before has dropped the consumer's, so that it is missing as in another project.
    const errors = (await restore(copy, dump)).filter((line) => line.startsWith("pg_restore: error"));
    expect(new Set(errors)).toEqual(
      new Set(['pg_restore: error: could not execute query: ERROR:  role "bemi" does not exist']),
    );
    const target = { ...TARGET, database: copy, projectId: "other-sky-654321" };
    expect(await refusal(publication.create({ ...publicationInputs(PUBLIC), ...target }, run))).toMatch(
      /exists already and came with a dump of project cool-darkness-123456: it was made on branch .* Set adopt: true/,
    );
    await adopts(copy, target);
  });

  test("the commands of docs/tools.md remove the copy where nothing is to be tracked", async () => {
    const copy = await newDatabase(db);
    await restore(copy, dump);
    const uri = uriTo(db.ownerUri, copy);
    expect(await runSql(uri, USERS_EVENT_TRIGGERS)).toEqual([{ evtname: "_bemi_track" }]);
    const page = readFileSync(path.join(PROJECT, "docs/tools.md"), "utf8");
    const commands = /To remove the copy of a trail[^]*?```sql\n([^]*?)```/.exec(page)?.[1] ?? "";
    await runSql(uri, commands);
    expect(await runSql(uri, USERS_EVENT_TRIGGERS)).toEqual([]);
    expect(await runSql(uri, "SELECT FROM pg_publication")).toEqual([]);
    await runSql(uri, "CREATE TABLE later (note text)");
    const at = { sql: <Row extends object>(statement: string) => runSql<Row>(uri, statement) };
    expect(await identities(at)).toMatchObject({ "public.later": "d" });
  });

  async function adopts(copy: string, target: object): Promise<void> {
    const uri = uriTo(db.ownerUri, copy);
    const at = { sql: <Row extends object>(statement: string) => runSql<Row>(uri, statement) };
    const identity = { ...identityInputs(PUBLIC), ...target };
    const published = { ...publicationInputs(PUBLIC, true), ...target };
    expect((await replicaIdentity.plan(identity, run)).changes).toContainEqual(
      expect.stringMatching(/^The record in schema _bemi came with a dump .*; it is taken over\.$/),
    );
    const said = (await publication.plan(published, run)).changes;
    expect(said).toEqual([
      "The publication bemi, a copy of one that this module made, is taken over; destroy drops it.",
    ]);
    const identityMade = await replicaIdentity.create(identity, run);
    const made = await publication.create(published, run);
    expect(made).toMatchObject({ wanted: 5, done: 5, created: true });
    // What the record says of a table goes with the table from now on, by the oid that it has here.
    await runSql(
      uri,
      "ALTER INDEX by_id RENAME TO renamed; ALTER TABLE nothing RENAME TO silent; CREATE TABLE later (note text)",
    );
    await run.end();
    expect((await replicaIdentity.read({ ...identity, ...identityMade }, run))?.drift).toEqual({});
    expect((await publication.read({ ...published, ...made }, run))?.drift).toEqual({});
    expect(await members(at)).toContain("public.later");

    await publication.delete({ ...published, ...made }, run);
    await replicaIdentity.delete({ ...identity, ...identityMade }, run);
    const { "public.nothing": silent, ...others } = before;
    expect(await identities(at)).toEqual({ ...others, "public.silent": silent, "public.later": "d" });
    expect(await replicaIndex(uri)).toEqual([{ index: "renamed" }]);
    expect(await runSql(uri, "SELECT FROM pg_namespace WHERE nspname = '_bemi'")).toEqual([]);
    expect(await runSql(uri, "SELECT FROM pg_publication")).toEqual([]);
  }

  /** Restores as the owner. Returns the errors, without those of every restore on Neon. */
  async function restore(database: string, file: string, ...args: readonly string[]): Promise<string[]> {
    const lines = await runPg(bin, "pg_restore", [...args, "--dbname", uriTo(db.ownerUri, database), file]);
    return lines.filter((line) => !NEONS_OWN.test(line));
  }

  function replicaIndex(uri: string): Promise<{ index: string }[]> {
    return runSql(
      uri,
      "SELECT indexrelid::regclass::text AS index FROM pg_index WHERE indisreplident AND indrelid = 'public.indexed'::regclass",
    );
  }
});

/** What schema tools do to a schema that they take for the application's, as they send it. */
describe("schema tools", () => {
  let database: string;
  let trail: Trail;
  const args = () => ({ ...TARGET, database, ...PUBLIC });
  const sql = <Row extends object>(statement: string) => runSql<Row>(uriTo(db.ownerUri, database), statement);

  beforeEach(async () => {
    database = await newDatabase(db, {
      sql: `CREATE TABLE keyless (note text); CREATE TABLE nothing (note text);
        ALTER TABLE nothing REPLICA IDENTITY NOTHING;
        CREATE TABLE parted (id int) PARTITION BY LIST (id);
        CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1)`,
    });
    trail = new Trail(() => testRun(db), {}, { processPer: "phase" });
  });

  /** Migrations and writes of the application, as an application that has a table without a key. */
  async function applicationWorks(): Promise<void> {
    await sql(`CREATE TABLE later (note text); INSERT INTO later VALUES ('a'); UPDATE later SET note = 'b'`);
    await sql("ALTER TABLE keyless ADD COLUMN more int; UPDATE keyless SET more = 1; DELETE FROM keyless");
    await sql(`CREATE TABLE part_2 PARTITION OF parted FOR VALUES IN (2); INSERT INTO parted VALUES (2);
      UPDATE parted SET id = 1; DELETE FROM parted`);
  }

  test.each([
    ["Atlas drops the schema", 'DROP SCHEMA "_bemi" CASCADE', "schema _bemi", "d"],
    ["Rails loads its schema.rb", 'DROP SCHEMA "_bemi" CASCADE; CREATE SCHEMA "_bemi"', "schema _bemi", "d"],
    ["Drizzle drops the view", 'DROP VIEW "_bemi"."lock"', "view _bemi.lock", "n"],
    ["somebody drops a function", 'DROP FUNCTION "_bemi"."track_bemi" CASCADE', undefined, "n"],
  ])("when %s, the application works, and up says what is lost", async (_, statement, lost, nothing) => {
    await trail.up(args());
    await sql(statement);
    await applicationWorks();
    const said = (await trail.previewUp(args()))["identity"];
    await trail.refresh();
    expect(trail.drift["identity"]).toMatchObject(
      lost === undefined ? { eventTriggersMissing: "_bemi_track is gone" } : { recordMissing: lost },
    );
    if (lost === "schema _bemi") {
      expect(said).toEqual([
        expect.stringMatching(
          /in schema _bemi, knows nothing of publication bemi any more\..* as if every .* DEFAULT/,
        ),
        "2 tables get the replica identity FULL: public.later, public.part_2 (now DEFAULT)",
        expect.stringMatching(/^Event triggers are created/),
      ]);
    } else if (lost !== undefined)
      expect(said).toEqual(["The view _bemi.lock, which guards the record, is gone. It is made again."]);
    await trail.up(args());
    await trail.refresh();
    expect(trail.drift).toEqual({});
    await trail.destroy();
    expect(await identities({ sql })).toEqual({
      ...Object.fromEntries(
        ["keyless", "later", "part_1", "part_2", "parted"].map((name) => [`public.${name}`, "d"]),
      ),
      "public.nothing": nothing,
    });
    expect(await sql("SELECT FROM pg_namespace WHERE nspname = '_bemi'")).toEqual([]);
  });

  test("when Drizzle has dropped the view, destroy gives everything back without an up before", async () => {
    await trail.up(args());
    await sql('DROP VIEW "_bemi"."lock"');
    await trail.destroy();
    expect(await identities({ sql })).toMatchObject({ "public.keyless": "d", "public.nothing": "n" });
    expect(await sql("SELECT FROM pg_namespace WHERE nspname = '_bemi'")).toEqual([]);
  });

  test("MikroORM's drop of the schema fails and changes nothing", async () => {
    await trail.up(args());
    await expect(sql('drop schema "_bemi"')).rejects.toThrow(/other objects depend on it/);
    await applicationWorks();
    await trail.refresh();
    expect(trail.drift).toEqual({});
    await trail.destroy();
  });

  test("an empty schema from a loaded schema.rb is taken over; one of another role blocks the preview", async () => {
    await runSql(uriTo(db.superuserUri, database), "CREATE SCHEMA _bemi AUTHORIZATION reader");
    expect(await refusal(trail.previewUp(args()))).toMatch(/_bemi belongs to reader, not to neondb_owner/);
    expect(await refusal(trail.up(args()))).toMatch(/_bemi belongs to reader, not to neondb_owner/);
    await runSql(uriTo(db.superuserUri, database), "DROP SCHEMA _bemi");
    await trail.destroy();

    await sql('CREATE SCHEMA "_bemi"');
    expect((await trail.previewUp(args()))["identity"]).toContainEqual(
      expect.stringMatching(/^The schema _bemi exists, without a mark .*: it is taken over/),
    );
    await trail.up(args());
    await trail.destroy();
    expect(await sql("SELECT FROM pg_namespace WHERE nspname = '_bemi'")).toEqual([]);
  });
});
