import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { describeWith, has, testWith } from "../../support/features";
import { DEFAULT_VERSION, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, withSessions, type TestRun } from "../../support/run";
import { change, down, identityInputs, preview, publicationInputs, up } from "../../support/stack";
import { members } from "../../support/tables";
import { until } from "../../support/until";
import { watchedSession } from "../../support/watchedSession";
import type * as support from "../../support/shortPatience";

// The tests wait until the module gives up on others: here it does so after two seconds instead of ten.
jest.mock("../../../provider/postgres/sql/lockPolicy", () =>
  jest.requireActual<typeof support>("../../support/shortPatience").shortPatience(),
);

const EVERYTHING = { allTables: true } as const;
const PUBLIC = { schemas: ["public"] };
/** What Bemi's documentation makes, here with options and a comment of its own. */
const BY_HAND = `CREATE PUBLICATION bemi FOR ALL TABLES WITH (publish = 'insert, update, delete');
  COMMENT ON PUBLICATION bemi IS 'made by hand'`;

/**
 * A statement that event triggers do not see. On Neon every member of neon_superuser may turn them off in its session; the
 * sandbox can play that from PostgreSQL 17 on.
 */
function unseen(statement: string): string {
  return DEFAULT_VERSION < 17
    ? `ALTER EVENT TRIGGER _bemi_track DISABLE; ${statement}; ALTER EVENT TRIGGER _bemi_track ENABLE ALWAYS`
    : `SET neon.event_triggers = off; ${statement}`;
}

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase({ profile: "neon" });
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await db.sql("CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE keyless (note text)");
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

test("makes a list for allTables, which harms no table that event triggers did not see", async () => {
  const stack = await up(run, EVERYTHING);
  expect(stack.publication).toMatchObject({ wanted: 2, done: 2 });
  expect(await publications()).toMatchObject([{ name: "bemi", allTables: false }]);
  await db.sql("CREATE TABLE late (note text); INSERT INTO late VALUES ('a'); UPDATE late SET note = 'b'");
  await db.sql(unseen("CREATE TABLE unseen (note text)"));
  await db.sql("INSERT INTO unseen VALUES ('a'); UPDATE unseen SET note = 'b'; DELETE FROM unseen");
  expect(await members(db)).toEqual(["public.keyless", "public.late", "public.plain"]);
  await run.end();
  const observed = await publication.read(stack.publication, run);
  expect(observed).toMatchObject({
    drift: { notPublished: "public.unseen" },
    outputs: { wanted: 4, done: 3 },
  });
  await down(run, stack);
  expect(await publications()).toEqual([]);
});

describe("adopts a publication for all tables", () => {
  test("as a list, also of some tables, and gives it back", async () => {
    await db.sql(
      `CREATE TABLE apart (id int PRIMARY KEY); ALTER TABLE keyless REPLICA IDENTITY FULL; ${BY_HAND}`,
    );
    const before = await publications();
    const some = { ...PUBLIC, excludeTables: ["public.apart"] };
    const { publication: planned } = await previewed(some, { adopt: true });
    expect(planned).toEqual([
      "The publication bemi is adopted; destroy gives it back as it is now.",
      "The publication bemi, which is for all tables, is replaced by one that lists its tables, without a gap for its consumer.",
      "1 table is no longer published by bemi: public.apart",
    ]);
    expect(await publications()).toEqual(before);

    const writer = await db.connect();
    await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
    const ended = new Promise((resolve) => setTimeout(resolve, 300)).then(() => writer.query("COMMIT"));
    const stack = await up(run, some, true);
    await ended;
    expect(stack.publication).toMatchObject({ created: false, wanted: 2, done: 2 });
    expect(await members(db)).toEqual(["public.keyless", "public.plain"]);
    expect(await publications()).toMatchObject([{ name: "bemi", allTables: false, operations: "iudt" }]);
    await run.end();
    expect((await publication.read(stack.publication, run))?.drift).toEqual({});
    expect((await previewed(some, { stack }))["publication"]).toEqual([]);

    await down(run, stack);
    expect(await publications()).toEqual(before);
    expect(run.lines.join("\n")).toMatch(/bemi stays, as it was before/);
  });

  test("and keeps it while an older transaction writes; the next up replaces it", async () => {
    await db.sql(`ALTER TABLE keyless REPLICA IDENTITY FULL; ${BY_HAND}`);
    const writer = await db.connect();
    await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
    const held = await up(run, PUBLIC, true);
    expect(await publications()).toMatchObject([
      { name: "bemi", allTables: true },
      { name: "bemi_new", allTables: false },
    ]);
    expect(run.lines.join("\n")).toMatch(/stays one for all tables until the next up: an older transaction/);
    await writer.query("COMMIT");

    await run.end();
    const observed = await publication.read(held.publication, run);
    expect(observed?.drift).toEqual({ publicationForm: "all tables", unfinishedChange: "bemi_new" });
    await change(run, held, PUBLIC);
    expect(await publications()).toMatchObject([{ name: "bemi", allTables: false }]);
  });

  test("and destroy drops what an interruption left, and waits before it gives it back", async () => {
    await db.sql(`ALTER TABLE keyless REPLICA IDENTITY FULL; ${BY_HAND}`);
    const before = await publications();
    const cut = withSessions(run, (session) =>
      watchedSession(session, (_, send, values) => {
        if (String(values?.[0]).includes("RENAME TO")) throw new Error("the engine is gone");
        return send();
      }),
    );
    const inputs = publicationInputs(PUBLIC, true);
    await replicaIdentity.create(identityInputs(PUBLIC), run);
    await expect(publication.create(inputs, cut)).rejects.toThrow("the engine is gone");
    expect((await publications()).map(({ name }) => name)).toEqual(["bemi", "bemi_new"]);
    await publication.delete(inputs, run);
    expect(await publications()).toEqual(before);

    const state = { ...inputs, ...(await publication.create(inputs, run)) };
    expect(await publications()).toMatchObject([{ name: "bemi", allTables: false }]);
    const writer = await db.connect();
    await writer.query("BEGIN; INSERT INTO plain VALUES (2)");
    await expect(publication.delete(state, run)).rejects.toThrow(
      /"bemi" could not be given back as it was: an older transaction .* Run destroy again/,
    );
    await writer.query("COMMIT");
    await publication.delete(state, run);
    expect(await publications()).toEqual(before);
  });

  test("and leaves a list where all tables would make writes fail, or may not be published", async () => {
    await db.sql(`ALTER TABLE keyless REPLICA IDENTITY FULL; ${BY_HAND}`);
    const stack = await up(run, PUBLIC, true);
    await db.sql(unseen("CREATE TABLE unseen (note text)"));
    await run.end();
    await publication.delete(stack.publication, run);
    expect(run.lines.join("\n")).toMatch(
      /bemi stays, but as a list .*: UPDATE and DELETE would fail on public\.unseen, for want of a replica identity/,
    );
    expect(await publications()).toMatchObject([
      { allTables: false, operations: "iud", comment: "made by hand" },
    ]);

    await db.sql(`DROP TABLE unseen; DROP PUBLICATION bemi; ${BY_HAND}`);
    const again = await up(run, PUBLIC, true);
    await run.end();
    await runSql(db.superuserUri, "REVOKE neon_superuser FROM neondb_owner");
    await publication.delete(again.publication, run);
    await runSql(db.superuserUri, "GRANT neon_superuser TO neondb_owner");
    expect(run.lines.join("\n")).toMatch(/our role may not make such a publication/);
    expect(await members(db)).toEqual(["public.keyless", "public.plain"]);
  });
});

describeWith("publications of schemas")("adopts a publication of schemas", () => {
  const OF_SCHEMA = "CREATE PUBLICATION bemi FOR TABLES IN SCHEMA public, TABLE far.visitor";
  beforeEach(() => db.sql("CREATE SCHEMA far; CREATE TABLE far.visitor (id int PRIMARY KEY)"));

  test("as a list, in place, and gives it back", async () => {
    await db.sql(
      `ALTER TABLE keyless REPLICA IDENTITY FULL; CREATE TABLE apart (id int PRIMARY KEY); ${OF_SCHEMA}`,
    );
    const before = await publications();
    const some = { ...PUBLIC, excludeTables: ["public.apart"] };
    const { publication: planned } = await previewed(some, { adopt: true });
    expect(planned?.slice(1)).toEqual([
      ...(DEFAULT_VERSION < 18
        ? []
        : ["Options of the publication bemi are set again: publish_generated_columns."]),
      "2 tables are added to the publication bemi: public.keyless, public.plain",
      "1 table is taken out of the publication bemi: far.visitor",
      "The publication bemi lists its tables instead of these schemas: public.",
      "1 table is no longer published by bemi: public.apart",
    ]);
    const stack = await up(run, some, true);
    expect(await members(db)).toEqual(["public.keyless", "public.plain"]);
    expect(await publications()).toMatchObject([{ name: "bemi", schemas: [] }]);
    await run.end();
    expect((await publication.read(stack.publication, run))?.drift).toEqual({});
    await down(run, stack);
    expect(await publications()).toEqual(before);
    expect(await members(db)).toEqual(["far.visitor"]);
  });

  test("and goes on publishing them while a table cannot be listed", async () => {
    await db.sql(OF_SCHEMA);
    const holder = await db.connect();
    await holder.query("BEGIN; LOCK TABLE plain IN SHARE UPDATE EXCLUSIVE MODE");
    const held = await up(run, PUBLIC, true);
    expect(await publications()).toMatchObject([{ schemas: ["public"] }]);
    await holder.query("COMMIT");
    await run.end();
    expect((await publication.read(held.publication, run))?.drift).toMatchObject({
      publishedSchemas: "public",
    });
    await change(run, held, PUBLIC);
    expect(await publications()).toMatchObject([{ schemas: [] }]);
    expect(await members(db)).toEqual(["public.keyless", "public.plain"]);
  });

  test("and waits for older writers, also where an earlier up has listed the tables", async () => {
    await db.sql(`ALTER TABLE keyless REPLICA IDENTITY FULL; ALTER TABLE plain REPLICA IDENTITY FULL; ${OF_SCHEMA};
      ALTER PUBLICATION bemi ADD TABLE plain, keyless`);
    const writer = await db.connect();
    await writer.query("BEGIN; INSERT INTO plain VALUES (1)");
    await up(run, PUBLIC, true);
    expect(await publications()).toMatchObject([{ schemas: ["public"] }]);
    await writer.query("COMMIT");
  });
});

test("lists tables created during a replacement before the renaming", async () => {
  await db.sql(`ALTER TABLE keyless REPLICA IDENTITY FULL; ${BY_HAND}`);
  const early = await db.connect();
  await replicaIdentity.create(identityInputs(PUBLIC), run);
  await early.query("BEGIN; CREATE TABLE early (note text)");
  const changing = publication.create(publicationInputs(PUBLIC, true), run);
  await until(async () => (await publications()).some(({ name }) => name === "bemi_new"));
  await db.sql("CREATE TABLE meanwhile (note text)");
  await early.query("COMMIT");
  await changing;
  // What a row was written by says which came first: the members, or the name.
  const listed = await db.sql<{ relname: string; before: boolean }>(
    `SELECT c.relname, r.xmin::text::int8 < p.xmin::text::int8 AS before
       FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid JOIN pg_class c ON c.oid = r.prrelid
      ORDER BY 1`,
  );
  expect(listed).toEqual(
    ["early", "keyless", "meanwhile", "plain"].map((relname) => ({ relname, before: true })),
  );
});

test("keeps the event triggers while the publication needs them: a partitioned table without key", async () => {
  await db.sql("CREATE TABLE parted (id int) PARTITION BY LIST (id)");
  const stack = await up(run, PUBLIC);
  // As an earlier release did, or somebody by hand.
  await db.sql("ALTER PUBLICATION bemi ADD TABLE ONLY parted");
  await run.end();
  const off = { ...PUBLIC, trackNewTables: false };
  const [identityOff, publicationOff] = [identityInputs(off), publicationInputs(off)];
  const identity = await replicaIdentity.update(stack.identity, identityOff, run);
  // Between the two resources.
  await db.sql(
    "CREATE TABLE late PARTITION OF parted DEFAULT; INSERT INTO late VALUES (1); UPDATE late SET id = 2",
  );
  const published = await publication.update(stack.publication, publicationOff, run);
  expect(await db.eventTriggers()).toEqual([]);
  await run.end();
  const read = await Promise.all([
    replicaIdentity.read({ ...identityOff, ...identity }, run),
    publication.read({ ...publicationOff, ...published }, run),
  ]);
  expect(read.map((observed) => observed?.drift)).toEqual([{}, {}]);
});

testWith("publications of schemas")(
  "takes out schemas that somebody added, also before it drops the publication",
  async () => {
    const stack = await up(run, PUBLIC);
    await runSql(db.superuserUri, "ALTER PUBLICATION bemi ADD TABLES IN SCHEMA public");
    await run.end();
    expect((await publication.read(stack.publication, run))?.drift).toEqual({ publishedSchemas: "public" });
    await change(run, stack, PUBLIC);
    await run.end();
    expect((await publication.read(stack.publication, run))?.drift).toEqual({});

    // Dropped as it is, it would make statements of the app fail.
    await runSql(db.superuserUri, "ALTER PUBLICATION bemi ADD TABLES IN SCHEMA public");
    await run.end();
    const sent: string[] = [];
    const watching = withSessions(run, (session) =>
      watchedSession(session, (statement, send, values) => {
        sent.push(`${statement} ${String(values?.[0])}`);
        return send();
      }),
    );
    await publication.delete(stack.publication, watching);
    const all = sent.join("\n");
    expect(all.indexOf("DROP TABLES IN SCHEMA")).toBeGreaterThan(0);
    expect(all.indexOf("DROP TABLES IN SCHEMA")).toBeLessThan(all.indexOf("DROP PUBLICATION"));
  },
);

/** A preview, in a process of its own. */
async function previewed(...[args, options]: Tail<Parameters<typeof preview>>): ReturnType<typeof preview> {
  const process = testRun(db);
  try {
    return await preview(process, args, options);
  } finally {
    await process.end();
  }
}

type Tail<List extends readonly unknown[]> = List extends readonly [unknown, ...infer Rest] ? Rest : never;

interface Publication {
  readonly name: string;
  readonly allTables: boolean;
  readonly operations: string;
  readonly schemas: readonly string[];
  readonly comment: string | null;
}

const SCHEMAS = `ARRAY(
  SELECT n.nspname::text FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid
   WHERE s.pnpubid = p.oid ORDER BY 1)`;

/** The publications, in the order of their names. */
function publications(): Promise<Publication[]> {
  return db.sql<Publication>(
    `SELECT pubname::text AS name, puballtables AS "allTables", obj_description(p.oid, 'pg_publication') AS comment,
            concat(CASE WHEN pubinsert THEN 'i' END, CASE WHEN pubupdate THEN 'u' END,
                   CASE WHEN pubdelete THEN 'd' END, CASE WHEN pubtruncate THEN 't' END) AS operations,
            ${has("publications of schemas") ? SCHEMAS : "'{}'::text[]"} AS schemas
       FROM pg_publication p ORDER BY pubname`,
  );
}
