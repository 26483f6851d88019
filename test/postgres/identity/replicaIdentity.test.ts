import type { Client } from "pg";
import { CHANGES_IDENTITIES, watchedSession } from "../../support/watchedSession";
import { setTimeout as sleep } from "node:timers/promises";
import { claimed, claimOf } from "../../../provider/postgres/identity/claim";
import { databaseObjectMark } from "../../../provider/postgres/ownership/mark";
import { changeRecord } from "../../../provider/postgres/record/change";
import { changeIdentities } from "../../../provider/postgres/identity/statement";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { testWith } from "../../support/features";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, withSessions, type TestRun } from "../../support/run";
import { refusal } from "../../support/refusal";
import { identityInputs } from "../../support/stack";
import { BASIC_TABLES, identities } from "../../support/tables";
import { uriTo } from "../../support/catalogState";
import { untilItWaits } from "../../support/lockWait";
import { until } from "../../support/until";

const INPUTS = identityInputs({ schemas: ["public"] });

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  // Event triggers would mend at once what these tests change by hand.
  db = await testDatabase({ profile: "strict" });
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await db.sql(`${BASIC_TABLES}
    CREATE TABLE nothing (note text);
    ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE indexed (id int NOT NULL, note text);
    CREATE UNIQUE INDEX "Indexed by.id" ON indexed (id);
    ALTER TABLE indexed REPLICA IDENTITY USING INDEX "Indexed by.id";
    CREATE TABLE whole (note text);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE parted (id int) PARTITION BY LIST (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
    CREATE SCHEMA "far Away";
    CREATE TABLE "far Away".parted_2 PARTITION OF public.parted FOR VALUES IN (2);
    CREATE TABLE "far Away".bystander (note text);`);
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

/** Does the work in a process that has read the catalog before somebody else did something. */
async function late<Result>(
  meanwhile: () => Promise<unknown>,
  work: (run: TestRun) => Promise<Result>,
): Promise<Result> {
  const process = testRun(db);
  try {
    await process.session((session) => session.catalog());
    await meanwhile();
    return await work(process);
  } finally {
    await process.end();
  }
}

describe("a claim that somebody makes after the catalog was read", () => {
  const OTHERS = { ...INPUTS, managedBy: "shop/staging/other-identity" };

  test("is taken over by an up of the same trail, and refused by another one", async () => {
    const ids: unknown[] = [];
    const meanwhile = async () => ids.push((await replicaIdentity.create(INPUTS, run)).ownershipId);
    const outputs = await late(meanwhile, (process) => replicaIdentity.create(INPUTS, process));
    expect([outputs.ownershipId]).toEqual(ids);
    await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);

    const refused = late(
      () => replicaIdentity.create(INPUTS, run),
      (process) => replicaIdentity.create(OTHERS, process),
    );
    expect(await refusal(refused)).toMatch(/a claim for publication "bemi" already, which was made by/);
  });

  test("is left alone by a destroy that misses its own", async () => {
    const outputs = await replicaIdentity.create(INPUTS, run);
    await db.sql("COMMENT ON SCHEMA _bemi IS NULL");
    await run.end();
    let theirs = {};
    const lines = await late(
      async () => (theirs = await replicaIdentity.create(OTHERS, run)),
      async (process) => {
        await replicaIdentity.delete({ ...INPUTS, ...outputs }, process);
        return process.lines;
      },
    );
    expect(lines).toContainEqual(expect.stringMatching(/stay as they are: the claim .* was made by/));
    expect(await replicaIdentity.read({ ...OTHERS, ...theirs }, run)).toMatchObject({ drift: {} });
  });
});

test("sets all tracked tables and partitions, and restores each identity on destroy", async () => {
  const before = await identities(db);
  const outputs = await replicaIdentity.create(INPUTS, run);

  expect(outputs).toMatchObject({ wanted: 10, done: 10, pending: [], newTables: "next up" });
  expect(await identities(db)).toEqual({
    ...before,
    ...Object.fromEntries(tracked(before).map((name) => [name, "f"])),
  });
  expect((await identities(db))["far Away.bystander"]).toBe("d");
  expect(run.lines).toContainEqual(expect.stringMatching(/event triggers/));

  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await identities(db)).toEqual(before);
  expect(await ownSchemas()).toEqual([]);

  // Twice is fine.
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
});

test("sets a table whose privileges the application grants at the same moment", async () => {
  const other = await db.connect();
  await other.query("BEGIN; GRANT SELECT ON plain TO pg_monitor");
  const creating = replicaIdentity.create(INPUTS, run);
  // The first attempt gives up after 100 ms. The grant is committed while a later one waits for it.
  await sleep(300);
  await untilItWaits(db);
  await other.query("COMMIT");
  expect(await creating).toMatchObject({ wanted: 10, done: 10, pending: [] });
});

test("changes nothing in a second run, and reads without drift", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  const rows = await db.sql<{ xmin: string }>("SELECT max(xmin::text::bigint) AS xmin FROM pg_class");
  const again = await replicaIdentity.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(again).toEqual(outputs);
  expect(await db.sql("SELECT max(xmin::text::bigint) AS xmin FROM pg_class")).toEqual(rows);
  const observed = await replicaIdentity.read({ ...INPUTS, ...outputs }, run);
  expect(observed).toEqual({ outputs, drift: {} });
});

test("names tables that are not FULL any more, and mends them", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await db.sql(`ALTER TABLE plain REPLICA IDENTITY DEFAULT; CREATE TABLE newcomer (note text)`);
  await run.end();
  const observed = await replicaIdentity.read({ ...INPUTS, ...outputs }, run);
  expect(observed?.drift).toEqual({ identityNotFull: "public.newcomer, public.plain" });
  expect(observed?.outputs.fingerprint).not.toBe(outputs.fingerprint);

  const mended = await replicaIdentity.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(mended).toMatchObject({ wanted: 11, done: 11 });
  await replicaIdentity.delete({ ...INPUTS, ...mended }, run);
  expect(await identities(db)).toMatchObject({ "public.plain": "d", "public.newcomer": "d" });
});

test("restores an unpublished table as soon as it leaves the selection", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  const narrower = { ...INPUTS, excludeTables: ["public.indexed", "public.nothing", "public.whole"] };
  await replicaIdentity.update({ ...INPUTS, ...outputs }, narrower, run);
  expect(await identities(db)).toMatchObject({
    "public.indexed": "i",
    "public.nothing": "n",
    "public.whole": "f",
    "public.plain": "f",
  });
});

test("restores although indexes and tables were dropped meanwhile", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await db.sql(`DROP INDEX "Indexed by.id"; DROP TABLE keyless; ALTER TABLE plain RENAME TO "Other"`);
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await identities(db)).toMatchObject({ "public.indexed": "d", "public.Other": "d" });
  expect(run.lines).toContainEqual(expect.stringMatching(/public\.indexed .*Indexed by\.id.* gone/));
});

test("leaves a table FULL where another publication would refuse its writes", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await db.sql("CREATE PUBLICATION theirs FOR TABLE keyless, plain, parted");
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await identities(db)).toMatchObject({
    "public.keyless": "f",
    "public.plain": "d",
    "public.parted": "d",
    "public.parted_1": "f",
    "far Away.parted_2": "f",
    "public.whole": "f",
  });
  expect(run.lines.join("\n")).toMatch(/public\.keyless stays as it is: .*replica identity/);
  expect(await ownSchemas()).toEqual([]);
  await db.sql("INSERT INTO keyless VALUES ('x'); UPDATE keyless SET note = 'y'; DELETE FROM parted");
});

testWith("column lists")(
  "leaves a table alone that is published with a column list, and says why",
  async () => {
    await db.sql("CREATE PUBLICATION theirs FOR TABLE plain (id)");
    const outputs = await replicaIdentity.create(INPUTS, run);
    expect(outputs).toMatchObject({ wanted: 10, done: 9 });
    expect(outputs.pending).toEqual([expect.stringMatching(/^public\.plain: .*column list.*theirs/)]);
    expect((await identities(db))["public.plain"]).toBe("d");
    expect((await replicaIdentity.read({ ...INPUTS, ...outputs }, run))?.drift).toEqual({});
  },
);

test("leaves tables of other owners alone, and names them", async () => {
  await runSql(db.superuserUri, "CREATE TABLE public.theirs (note text)");
  const outputs = await replicaIdentity.create(INPUTS, run);
  expect(outputs.pending).toEqual([expect.stringMatching(/^public\.theirs: belongs to cloud_admin/)]);
});

test("leaves a locked table to the next run, and does all the others", async () => {
  const reader = await db.connect();
  await reader.query("BEGIN");
  await reader.query("SELECT * FROM plain");
  const outputs = await replicaIdentity.create(INPUTS, run);
  expect(outputs).toMatchObject({
    wanted: 10,
    done: 9,
    pending: ["public.plain: replica identity is not full yet"],
  });
  const held = `Held by session ${await pidOf(reader)} (role neondb_owner, since `;
  const still =
    "idle in transaction, last statement SELECT). Wait until that ends, or end it: SELECT pg_term";
  expect(run.lines).toEqual([
    expect.stringMatching(/_bemi is created/),
    expect.stringContaining(`public.plain: locked by other transactions, so not FULL yet. ${held}`),
    expect.stringMatching(/event triggers/),
  ]);
  expect(run.lines[1]).toContain(still);
  await reader.query("COMMIT");
  const finished = await replicaIdentity.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(finished).toMatchObject({ wanted: 10, done: 10, pending: [] });

  await reader.query("BEGIN");
  await reader.query("SELECT * FROM plain");
  const refused = await refusal(replicaIdentity.delete({ ...INPUTS, ...finished }, run));
  expect(refused).toMatch(/1 table .*: public\.plain\. Held by .*Run destroy again/s);
  expect(refused).toContain(held);
  await reader.query("COMMIT");
  await replicaIdentity.delete({ ...INPUTS, ...finished }, run);
  expect((await identities(db))["public.plain"]).toBe("d");
});

test("waits for a table that is locked only when its turn comes", async () => {
  // Holds up one of the first changes, as tables made last come first, until there is a lock on one of the last.
  await runSql(
    db.superuserUri,
    `CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$ BEGIN
       IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() c WHERE c.objid = 'public.parted_1'::regclass) THEN
         PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
       END IF;
     END $$;
     CREATE EVENT TRIGGER hold ON ddl_command_end EXECUTE FUNCTION hold()`,
  );
  const reader = await db.connect();
  await reader.query("SELECT pg_advisory_lock(1)");
  const statements: string[] = [];
  const watched = withSessions(run, (session) =>
    watchedSession(session, (statement, send) => {
      statements.push(statement);
      return send();
    }),
  );
  const created = replicaIdentity.create(INPUTS, watched);
  await until(async () => {
    const waiting = await db.sql("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
    return waiting.length === 1;
  });
  await reader.query("BEGIN; SELECT * FROM plain; SELECT pg_advisory_unlock(1)");
  // The second statement is one that takes a lock timeout for what it is.
  const changing = (): number => statements.filter((text) => CHANGES_IDENTITIES.test(text)).length;
  await until(() => changing() === 2);
  await reader.query("COMMIT");

  const outputs = await created;
  await runSql(db.superuserUri, "DROP EVENT TRIGGER hold; DROP FUNCTION hold()");
  expect(changing()).toBe(2);
  expect(outputs).toMatchObject({ wanted: 10, done: 10, pending: [] });
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
});

test("goes on in further statements, and says how far it is", async () => {
  const before = await identities(db);
  const plain = identityInputs({ tables: ["public.plain"] });
  await replicaIdentity.create(plain, run);
  // Beside a publication, each change is judged, and the clock looked at after each.
  await db.sql("CREATE PUBLICATION elsewhere");
  const left: number[] = [];
  await run.session(async (session) => {
    // As an up does before it changes the first table.
    await changeRecord(session, (record, now) => {
      const mark = { ...databaseObjectMark(session, INPUTS), id: claimOf(record, "bemi")?.id ?? "" };
      return claimed(record, now, { publication: "bemi", mark, selection: INPUTS, state: plain });
    });
    const full = (await session.catalog()).tables.flatMap(({ oid, schema }) =>
      schema === "public" ? [oid] : [],
    );
    const order = { publication: "bemi", full };
    const changes = await changeIdentities(session, order, (open) => left.push(open), "0 s");
    expect(changes).toMatchObject({ locked: 0, refused: [] });
    const settings =
      "SELECT current_setting('lock_timeout') AS lock, current_setting('synchronous_commit') AS commit";
    expect(await session.read(settings)).toEqual([{ lock: "2s", commit: "on" }]);
  });
  // Each had the time for one: plain and whole are FULL already.
  expect(left).toEqual([6, 5, 4, 3, 2, 1]);
  expect(Object.values(await identities(db)).filter((identity) => identity !== "f")).toHaveLength(2);

  const all = await replicaIdentity.create(INPUTS, run);
  await replicaIdentity.delete({ ...INPUTS, ...all }, run);
  expect(await identities(db)).toEqual(before);
});

test("loses no previous identity when it is killed in the middle", async () => {
  const before = await identities(db);
  const reader = await db.connect();
  await reader.query("BEGIN");
  await reader.query("SELECT * FROM whole, indexed, plain");
  const interrupted = replicaIdentity.create(INPUTS, run);
  const killed = expect(interrupted).rejects.toThrow(/Run again/);
  await until(async () => (await identities(db))["public.nothing"] === "f");
  await db.sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pulumi-neon-bemi'`,
  );
  await killed;
  await reader.query("COMMIT");

  const outputs = await replicaIdentity.create(INPUTS, run);
  expect(outputs).toMatchObject({ wanted: 10, done: 10 });
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await identities(db)).toEqual(before);
});

test("refuses a schema of that name that somebody else made", async () => {
  await db.sql("CREATE SCHEMA _bemi; CREATE TABLE _bemi.mine (note text)");
  await expect(replicaIdentity.create(INPUTS, run)).rejects.toThrow(
    /schema _bemi was not made by this module, and is not empty: it holds table mine.*drop it/s,
  );
  expect(await db.sql("SELECT relreplident FROM pg_class WHERE oid = 'plain'::regclass")).toEqual([
    { relreplident: "d" },
  ]);
});

test("keeps objects that somebody put into the module's schema", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await db.sql("CREATE TABLE _bemi.mine (note text)");
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(await db.sql("SELECT relname FROM pg_class WHERE relnamespace = '_bemi'::regnamespace")).toEqual([
    { relname: "mine" },
  ]);
});

test.each([
  ["first", "second"],
  ["second", "first"],
] as const)("gives back tables of two trails when both have gone, the %s first", async (...order) => {
  const before = await identities(db);
  const other = { ...INPUTS, publication: "other", excludeTables: ["public.nothing"] };
  const states = {
    first: { ...INPUTS, ...(await replicaIdentity.create(INPUTS, run)) },
    second: { ...other, ...(await replicaIdentity.create(other, run)) },
  };
  await replicaIdentity.delete(states[order[0]], run);
  expect(await identities(db)).toMatchObject({
    "public.indexed": "f",
    "public.nothing": order[0] === "first" ? "n" : "f",
  });
  await replicaIdentity.delete(states[order[1]], run);
  expect(await identities(db)).toEqual(before);
  expect(await ownSchemas()).toEqual([]);
});

test("gives back what the application has set while the table was tracked, and says so", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await db.sql("ALTER TABLE plain REPLICA IDENTITY NOTHING; ALTER TABLE nothing REPLICA IDENTITY DEFAULT");
  await run.end();
  const again = await replicaIdentity.update({ ...INPUTS, ...outputs }, INPUTS, run);
  expect(run.lines).toContainEqual(
    expect.stringMatching(/identity of public\.plain was changed since .* destroy gives it back NOTHING/),
  );
  expect(await identities(db)).toMatchObject({ "public.plain": "f", "public.nothing": "f" });
  await replicaIdentity.delete({ ...INPUTS, ...again }, run);
  expect(await identities(db)).toMatchObject({ "public.plain": "n", "public.nothing": "d" });
});

test("finds an index again that was renamed, or made anew for the same columns", async () => {
  await db.sql(`CREATE TABLE renewed (a int NOT NULL, b int NOT NULL);
    CREATE UNIQUE INDEX before ON renewed (b, a); ALTER TABLE renewed REPLICA IDENTITY USING INDEX before`);
  const outputs = await replicaIdentity.create(INPUTS, run);
  await db.sql(`ALTER INDEX "Indexed by.id" RENAME TO renamed;
    DROP INDEX before; CREATE UNIQUE INDEX other ON renewed (a, b); CREATE UNIQUE INDEX again ON renewed (b, a)`);
  await run.end();
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(
    await db.sql("SELECT indexrelid::regclass::text AS index FROM pg_index WHERE indisreplident ORDER BY 1"),
  ).toEqual([{ index: "again" }, { index: "renamed" }]);
});

test("a record that was lost is drift; up makes it again and does not take our FULL for the user's", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await db.sql("DROP SCHEMA _bemi CASCADE");
  await run.end();
  const state = { ...INPUTS, ...outputs };
  expect((await replicaIdentity.read(state, run))?.drift).toEqual({ recordMissing: "schema _bemi" });
  const lost = /knows nothing of publication bemi any more/;
  expect((await replicaIdentity.plan(INPUTS, run, state)).changes).toContainEqual(
    expect.stringMatching(lost),
  );
  const again = await replicaIdentity.update(state, INPUTS, run);
  expect(run.lines).toContainEqual(expect.stringMatching(lost));
  await replicaIdentity.delete({ ...INPUTS, ...again }, run);
  expect(Object.values(await identities(db)).every((identity) => identity === "d")).toBe(true);
});

test("a destroy without its record says so, and leaves no table FULL that the state covers", async () => {
  const outputs = await replicaIdentity.create(INPUTS, run);
  await db.sql("COMMENT ON SCHEMA _bemi IS NULL");
  await run.end();
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
  expect(run.lines).toContainEqual(expect.stringMatching(/knows nothing of publication bemi any more/));
  expect(Object.values(await identities(db)).every((identity) => identity === "d")).toBe(true);
  expect(await ownSchemas()).toEqual([]);
});

test("gives back the identities in a restored copy of the database, where oids mean other tables", async () => {
  const before = await identities(db);
  const outputs = await replicaIdentity.create(INPUTS, run);
  await run.end();
  // As a dump does: the same names and comments under another oid of the database.
  await runSql(
    db.superuserUri.replace("/neondb", "/postgres"),
    "CREATE DATABASE copy TEMPLATE neondb OWNER neondb_owner",
  );
  await runSql(
    uriTo(db.ownerUri, "copy"),
    "DROP TABLE nothing; CREATE TABLE nothing (note text); ALTER TABLE nothing REPLICA IDENTITY FULL",
  );
  const elsewhere = testRun(db, { branchId: "br-restored-sky-654321" });
  const copy = { ...INPUTS, database: "copy" };
  const taken = await replicaIdentity.create(copy, elsewhere);
  await replicaIdentity.delete({ ...copy, ...taken }, elsewhere);
  await elsewhere.end();
  expect(
    await identities({ ...db, sql: (statement) => runSql(uriTo(db.ownerUri, "copy"), statement) }),
  ).toEqual(before);
  await runSql(db.superuserUri, "DROP DATABASE copy");
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, run);
});

test("takes over the record on a copied branch", async () => {
  const before = await identities(db);
  await replicaIdentity.create(INPUTS, run);
  const copy = testRun(db, { branchId: "br-copied-sky-654321" });
  const outputs = await replicaIdentity.create(INPUTS, copy);
  await replicaIdentity.delete({ ...INPUTS, ...outputs }, copy);
  await copy.end();
  expect(await identities(db)).toEqual(before);
});

test("refuses an unknown table before anything is changed", async () => {
  const wrong = { ...INPUTS, schemas: undefined, tables: ["public.plain", "public.nowhere"] };
  await expect(replicaIdentity.create(wrong, run)).rejects.toThrow(/public\.nowhere/);
  expect(await ownSchemas()).toEqual([]);
});

function tracked(all: Record<string, string>): string[] {
  return Object.keys(all).filter((name) => name !== "far Away.bystander");
}

async function ownSchemas(): Promise<object[]> {
  return db.sql("SELECT nspname FROM pg_namespace WHERE nspname ~ '^_'");
}

async function pidOf(client: Client): Promise<number | undefined> {
  return (await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid;
}
