import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { refusal } from "../../support/refusal";
import { TARGET, testRun } from "../../support/run";
import { Trail } from "../../support/trail";

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase({ sql: "CREATE TABLE orders (id int); CREATE ROLE reports" });
  await runSql(
    db.superuserUri,
    `CREATE ROLE console IN ROLE neon_superuser;
     CREATE TABLE reported (id int); ALTER TABLE reported OWNER TO reports;
     CREATE TABLE consoled (id int); ALTER TABLE consoled OWNER TO console`,
  );
});
afterAll(() => db.close());

test("what the error about tables of other roles advises works, for each kind of role", async () => {
  const trail = new Trail(() => testRun(db));
  const everything = { ...TARGET, schemas: ["public"] };
  const said = await refusal(trail.previewUp(everything));
  expect(said).toMatch(
    /public\.consoled is owned by console, .* Put it in excludeTables, or delete role console in Neon/,
  );
  const [grant = "nothing to run"] = /GRANT "reports" TO "neondb_owner"/.exec(said ?? "") ?? [];
  await db.sql(grant);
  await trail.up({ ...everything, excludeTables: ["public.consoled"] });
  // What deleting the role in Neon comes to.
  await runSql(db.superuserUri, "REASSIGN OWNED BY console TO neondb_owner; DROP ROLE console");
  await trail.up(everything);
  await trail.refresh();
  expect(trail.drift).toEqual({});
  await trail.destroy();
});
