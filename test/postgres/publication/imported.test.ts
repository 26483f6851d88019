import { publicationInputs as contract } from "../../../provider/contract/kinds/publication";
import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { has } from "../../support/features";
import { DEFAULT_VERSION, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, withSessions, type TestRun } from "../../support/run";
import { identityInputs, publicationInputs } from "../../support/stack";
import { watchedSession } from "../../support/watchedSession";

const ID = "cool-darkness-123456/main/neondb/bemi";

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
  await db.sql(`CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE notes (note text);
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY LIST (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)`);
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

const FORMS: [form: string, selection: object][] = [
  ["FOR TABLE orders, notes", { tables: ["public.notes", "public.orders"] }],
  ["FOR TABLE orders, notes, parted", { schemas: ["public"] }],
  ["FOR TABLE parted", { tables: ["public.parted"] }],
  ["FOR ALL TABLES", { allTables: true }],
  ["", { schemas: ["public"] }],
];
if (has("publications of schemas")) FORMS.push(["FOR TABLES IN SCHEMA public", { schemas: ["public"] }]);

test.each(FORMS)(
  "a publication made by hand %s is found as a program would write it",
  async (form, selection) => {
    await db.sql(`CREATE PUBLICATION bemi ${form}`);
    const found = await publication.find?.(ID, run);
    expect(found?.inputs).toEqual({ ...TARGET, name: "bemi", adopt: true, ...selection });
    const { adopt, name, ...target } = found?.inputs ?? {};
    expect((await replicaIdentity.find?.(ID, run))?.inputs).toEqual({ ...target, publication: name });
    expect(adopt).toBe(true);
  },
);

test("an imported publication is adopted by the next up, and its preview names what that changes", async () => {
  await db.sql("ALTER TABLE notes REPLICA IDENTITY FULL; CREATE PUBLICATION bemi FOR TABLE orders, notes");
  const found = await publication.find?.(ID, run);
  const inputs = contract.parse({ ...found?.inputs, managedBy: "shop/production/orders" });
  const state = { ...inputs, ...found?.outputs };
  const observed = await publication.read(state, run);
  expect(observed).toMatchObject({
    outputs: { wanted: 2, done: 2, created: false },
    drift: { publicationOwner: "not taken over yet" },
  });
  const planned = await publication.plan(inputs, run, { ...state, ...observed?.outputs });
  expect(planned.changes).toEqual([
    "The publication bemi is adopted; destroy gives it back as it is now.",
    ...(DEFAULT_VERSION < 18
      ? []
      : ["Options of the publication bemi are set again: publish_generated_columns."]),
  ]);
  const outputs = await publication.update(state, inputs, run);
  expect((await publication.read({ ...inputs, ...outputs }, run))?.drift).toEqual({});
});

test("imported replica identities stay FULL on destroy, before and after the first up", async () => {
  await db.sql(`ALTER TABLE notes REPLICA IDENTITY FULL; ALTER TABLE orders REPLICA IDENTITY FULL;
    CREATE PUBLICATION bemi FOR TABLE orders, notes`);
  const found = await replicaIdentity.find?.(ID, run);
  const inputs = {
    ...found?.inputs,
    ...TARGET,
    publication: "bemi",
    trackNewTables: true,
    managedBy: "shop/dev/orders",
  };
  const state = { ...inputs, ...found?.outputs };
  const observed = await replicaIdentity.read(state, run);
  expect(observed?.drift).toEqual({ recordMissing: "imported, and not recorded yet" });
  const imported = { ...state, ...observed?.outputs };
  await replicaIdentity.delete(imported, run);
  expect(await identities()).toEqual(["notes f", "orders f"]);

  const outputs = await replicaIdentity.update(imported, inputs, run);
  await replicaIdentity.delete({ ...inputs, ...outputs }, run);
  expect(await identities()).toEqual(["notes f", "orders f"]);
  expect(run.lines.join("\n")).not.toContain("knows nothing");
});

describe("the adoption of a publication for all tables, stopped after a statement", () => {
  const SELECTED = { schemas: ["public"] };
  const inputs = publicationInputs(SELECTED, true);
  const RECEIVED = `
    SELECT count(*) FILTER (WHERE get_byte(data, 0) = ascii('I'))::int AS inserted,
           count(*) FILTER (WHERE get_byte(data, 0) = ascii('U'))::int AS updated
      FROM pg_logical_slot_get_binary_changes('watch', NULL, NULL, 'proto_version', '1', 'publication_names', 'bemi')`;
  const PUBLICATIONS = `
    SELECT pubname::text AS name, puballtables AS "allTables", obj_description(oid, 'pg_publication') AS comment
      FROM pg_publication ORDER BY 1`;

  /** Writes until it is stopped; each write must succeed. Returns how many there were of each kind. */
  async function writer(stopped: () => boolean): Promise<number> {
    const client = await db.connect();
    for (let written = 0; ;) {
      await client.query(`INSERT INTO orders VALUES (${written}); UPDATE notes SET note = '${written}'`);
      written += 1;
      if (stopped()) return written;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Creates the publication in a process that ends after so many statements. Returns how many it sent. */
  async function createdUntil(last: number): Promise<number> {
    const process = testRun(db);
    let sent = 0;
    const cut = withSessions(process, (session) =>
      watchedSession(session, async (_, send) => {
        if (sent === last) throw new Error("killed");
        sent += 1;
        return send();
      }),
    );
    await publication.create(inputs, cut).catch((error: unknown) => {
      if (sent < last) throw error;
    });
    await process.end();
    return sent;
  }

  test("is finished by the next up, loses no change, and destroy restores it, wherever it stopped", async () => {
    await db.sql(`ALTER TABLE notes REPLICA IDENTITY FULL; ALTER TABLE orders REPLICA IDENTITY FULL;
      INSERT INTO notes VALUES ('a'); CREATE PUBLICATION bemi FOR ALL TABLES;
      COMMENT ON PUBLICATION bemi IS 'made by hand'`);
    const before = await db.sql(PUBLICATIONS);
    await replicaIdentity.create(identityInputs(SELECTED), run);
    for (let last = 1, sent = last; sent === last; last += 1) {
      await db.sql("DELETE FROM orders");
      await runSql(db.superuserUri, "SELECT pg_create_logical_replication_slot('watch', 'pgoutput')");
      let stop = false;
      const writing = writer(() => stop);
      sent = await createdUntil(last);
      await run.end();
      const state = { ...inputs, ...(await publication.create(inputs, run)) };
      stop = true;
      const written = await writing;
      const made = await db.sql(PUBLICATIONS);
      expect([last, made]).toEqual([last, [expect.objectContaining({ name: "bemi", allTables: false })]]);
      const received = await runSql(db.superuserUri, RECEIVED);
      expect([last, received]).toEqual([last, [{ inserted: written, updated: written }]]);
      await runSql(db.superuserUri, "SELECT pg_drop_replication_slot('watch')");
      await publication.delete(state, run);
      expect([last, await db.sql(PUBLICATIONS)]).toEqual([last, before]);
    }
  });
});

/** The tables with another replica identity than DEFAULT, each with its letter in pg_class. */
async function identities(): Promise<string[]> {
  const rows = await db.sql<{ text: string }>(
    `SELECT relname || ' ' || relreplident::text AS text FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relreplident <> 'd' ORDER BY 1`,
  );
  return rows.map(({ text }) => text);
}

test("the record alone makes replica identities importable", async () => {
  const inputs = {
    ...TARGET,
    publication: "bemi",
    trackNewTables: true,
    managedBy: "shop/production/orders",
  };
  await replicaIdentity.create({ ...inputs, tables: ["public.orders"] }, run);
  expect((await replicaIdentity.find?.(ID, run))?.inputs).toEqual({
    ...TARGET,
    tables: ["public.orders"],
    publication: "bemi",
  });
});

test("what does not exist is not found, and an id of another form is refused with the form", async () => {
  expect(await publication.find?.(ID, run)).toBeUndefined();
  expect(await replicaIdentity.find?.(ID, run)).toBeUndefined();
  for (const id of ["bemi", "neondb/bemi", "cool-darkness-123456/main/neondb/", "a//b/c"]) {
    const looking = async (): Promise<unknown> => publication.find?.(id, run);
    await expect(looking()).rejects.toThrow("Write PROJECT/BRANCH/DATABASE/NAME");
  }
});

test("a branch may have slashes in its name", async () => {
  await db.sql("CREATE PUBLICATION bemi");
  const found = await publication.find?.("cool-darkness-123456/preview/pr-1/neondb/bemi", run);
  expect(found?.inputs).toMatchObject({ branch: "preview/pr-1", database: "neondb" });
});
