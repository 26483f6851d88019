import { readFileSync } from "node:fs";
import {
  DEFAULT_VERSION,
  ownerWhoMakesRoles,
  runSql,
  testDatabase,
  type TestDatabase,
} from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { Trail } from "../../support/trail";
import { catalogState } from "../../support/catalogState";

/** What an application, or a tool that it uses, may have set for its database. Each of them has broken something. */
const OF_THE_DATABASE = [
  "default_transaction_read_only = on",
  "default_transaction_isolation = 'serializable'",
  ...(DEFAULT_VERSION < 17 ? [] : ["transaction_timeout = '900ms'"]),
  "idle_session_timeout = '900ms'",
  "statement_timeout = '1s'",
  "lock_timeout = '5ms'",
  "search_path = 'app'",
  "quote_all_identifiers = on",
  "standard_conforming_strings = off",
  "array_nulls = off",
  "transform_null_equals = on",
  "datestyle = 'SQL, DMY'",
  "intervalstyle = 'iso_8601'",
  "bytea_output = 'escape'",
  ...(DEFAULT_VERSION < 16 ? [] : ["createrole_self_grant = 'set, inherit'"]),
  "plpgsql.variable_conflict = 'use_column'",
  "plpgsql.extra_errors = 'all'",
  "plpgsql.extra_warnings = 'all'",
];

let db: TestDatabase;
let trail: Trail;

beforeAll(async () => {
  db = await testDatabase({
    profile: "neon",
    owner: ownerWhoMakesRoles(DEFAULT_VERSION),
    sql: "CREATE TABLE orders (id int PRIMARY KEY)",
  });
  await runSql(db.superuserUri, "CREATE ROLE app");
  trail = new Trail(() => testRun(db));
});
afterAll(() => db.close());

test("settings of the database and of its owner do not reach the module", async () => {
  const before = await catalogState(db, "neondb");
  await runSql(db.superuserUri, "GRANT app TO neondb_owner");
  await runSql(db.superuserUri, "ALTER ROLE neondb_owner SET role = 'app'");
  await runSql(
    db.superuserUri,
    OF_THE_DATABASE.map((setting) => `ALTER DATABASE neondb SET ${setting}`).join("; "),
  );
  const args = { ...TARGET, database: "neondb", schemas: ["public"] };
  await trail.up(args);
  expect(trail.state["readiness"]?.outputs).toMatchObject({ ready: true, selected: 1, published: 1 });
  expect(await trail.up(args)).toEqual([]);

  await runSql(
    db.ownerUri,
    "SET role = 'none'; SET transaction_read_only = off; SET transaction_isolation = 'read committed'; SET search_path = public; CREATE TABLE payments (id int)",
  );
  expect(readFileSync(db.serverLog, "utf8")).not.toContain("WARNING:  bemi");
  expect(await trail.up(args)).toEqual([]);
  expect(trail.state["readiness"]?.outputs).toMatchObject({ ready: true });

  await trail.destroy();
  await runSql(
    db.superuserUri,
    "SET transaction_read_only = off; ALTER DATABASE neondb RESET ALL; ALTER ROLE neondb_owner RESET ALL; REVOKE app FROM neondb_owner; DROP TABLE public.payments",
  );
  expect(await catalogState(db, "neondb")).toEqual(before);
});
