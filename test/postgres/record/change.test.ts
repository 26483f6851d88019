import { Client } from "pg";
import type { Session } from "../../../provider/contract/session";
import { changeRecord } from "../../../provider/postgres/record/change";
import { readRecord } from "../../../provider/postgres/record/moduleSchema";
import type { DatabaseRecord } from "../../../provider/postgres/record/record";
import { catalogState, differences } from "../../support/catalogState";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";

let db: TestDatabase;
let run: TestRun;
let app: Client | undefined;

beforeAll(async () => {
  db = await testDatabase({
    // What default privileges give to others must not reach into the module's schema.
    sql: `CREATE ROLE app LOGIN PASSWORD 'app'; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO app;
      ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app`,
  });
});
afterAll(async () => {
  await db.close();
});
beforeEach(() => {
  run = testRun(db);
});
afterEach(async () => {
  await app?.end();
  app = undefined;
  await run.end();
  await db.sql("DROP SCHEMA IF EXISTS _bemi CASCADE");
});

const claimed =
  (publication: string) =>
  (record: DatabaseRecord): DatabaseRecord => ({
    ...record,
    claims: [
      ...record.claims.filter((claim) => claim.publication !== publication),
      {
        projectId: "p",
        branchId: "b",
        database: "neondb",
        managedBy: `it's "\\ $record$ $do$\n${publication}`,
        id: publication,
        publication,
        selections: [{ allTables: true }],
      },
    ],
  });

const without =
  (publication: string) =>
  (record: DatabaseRecord): DatabaseRecord => ({
    ...record,
    claims: record.claims.filter((claim) => claim.publication !== publication),
  });

const publications = async (session: Session): Promise<string[]> =>
  readRecord(await session.freshCatalog())
    .claims.map(({ publication }) => publication)
    .sort();

test("makes one schema without a table, and drops it when nothing is left to give back", async () => {
  const before = await catalogState(db, "neondb");
  await run.session((session) => changeRecord(session, claimed("bemi")));
  expect(
    await db.sql(
      "SELECT relname FROM pg_class WHERE relnamespace = '_bemi'::regnamespace AND relkind <> 'v'",
    ),
  ).toEqual([]);
  expect(await run.session(publications)).toEqual(["bemi"]);
  expect(await run.session((session) => changeRecord(session, without("bemi")))).toMatchObject({ kept: [] });
  expect(differences(before, await catalogState(db, "neondb"))).toEqual([]);
});

test("costs a statement neither to read nor where nothing changes", async () => {
  await run.session((session) => changeRecord(session, claimed("bemi")));
  await run.session(async (session) => {
    await session.catalog();
    const fail = (): never => {
      throw new Error("a statement was sent");
    };
    const still: Session = {
      ...session,
      target: session.target,
      read: fail,
      write: fail,
      catalog: () => session.catalog(),
      freshCatalog: fail,
    };
    await changeRecord(still, (record) => record);
    await changeRecord(still, () => undefined);
  });
});

test("loses no change of trails that come and go at the same time", async () => {
  const names = ["a", "b", "c"];
  const runs = names.map(() => testRun(db));
  await Promise.all(
    names.map(async (name, index) => {
      const own = runs[index] ?? run;
      for (let round = 0; round < 8; round += 1) {
        await own.session((session) => changeRecord(session, claimed(name)));
        if (round < 7) await own.session((session) => changeRecord(session, without(name)));
      }
    }),
  );
  expect(await run.session(publications)).toEqual(names);
  for (const own of runs) await own.end();
});

test("a change that was planned from an old record is planned again", async () => {
  const other = testRun(db);
  await run.session((session) => changeRecord(session, claimed("a")));
  await run.session(async (session) => {
    await session.catalog();
    await other.session((theirs) => changeRecord(theirs, claimed("b")));
    await changeRecord(session, claimed("c"));
  });
  expect(await run.session(publications)).toEqual(["a", "b", "c"]);
  await other.end();
});

test("no other role can use the schema, lock the view or hold a change up", async () => {
  await run.session((session) => changeRecord(session, claimed("bemi")));
  app = new Client({ connectionString: db.superuserUri });
  await app.connect();
  await app.query("SET SESSION AUTHORIZATION app");
  await expect(app.query("BEGIN; LOCK TABLE _bemi.lock IN ACCESS SHARE MODE")).rejects.toThrow(
    /permission denied/,
  );
  await app.query("ROLLBACK");
  await expect(app.query("SELECT FROM _bemi.lock")).rejects.toThrow(/permission denied/);
  await expect(app.query("COMMENT ON SCHEMA _bemi IS 'x'")).rejects.toThrow(/must be owner/);
  await app.query("BEGIN; SELECT pg_advisory_lock(n) FROM generate_series(1, 9) n");
  await run.session((session) => changeRecord(session, without("bemi")));
});

test("keeps a schema in which others have put something, and says what", async () => {
  await run.session((session) => changeRecord(session, claimed("bemi")));
  await db.sql("CREATE TABLE _bemi.notes (note text)");
  const change = await run.session((session) => changeRecord(session, without("bemi")));
  expect(change.kept).toEqual(["table notes"]);
  expect(await run.session(publications)).toEqual([]);
});

test("mends a schema of which somebody dropped the view, and makes an empty one anew", async () => {
  await db.sql("CREATE SCHEMA _bemi; GRANT ALL ON SCHEMA _bemi TO PUBLIC");
  await run.session((session) => changeRecord(session, claimed("bemi")));
  expect(
    await db.sql("SELECT FROM pg_namespace WHERE nspname = '_bemi' AND array_length(nspacl, 1) > 1"),
  ).toEqual([]);
  await db.sql("DROP VIEW _bemi.lock");
  await run.session((session) => changeRecord(session, claimed("other")));
  expect(await run.session(publications)).toEqual(["bemi", "other"]);
});
