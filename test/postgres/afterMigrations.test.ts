import type { ReplicaIdentityInputs } from "../../provider/contract/kinds/replicaIdentity";
import {
  afterMigrations,
  publication as plainPublication,
  replicaIdentity as plainIdentity,
} from "../../provider/postgres";
import { identityInputs, publicationInputs } from "../support/stack";
import { runSql, testDatabase, type TestDatabase } from "../support/postgres";
import { testRun, type TestRun } from "../support/run";

const [identity, publication] = [afterMigrations(plainIdentity), afterMigrations(plainPublication)];

let db: TestDatabase;
/** One process, with one session and its cached catalog, as in one `up`. */
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase();
});
beforeEach(async () => {
  run = testRun(db);
  await owner("CREATE TABLE public.orders (id int PRIMARY KEY)");
});
afterEach(async () => {
  await run.end();
  await runSql(
    db.superuserUri,
    "DROP PUBLICATION IF EXISTS bemi; DROP SCHEMA IF EXISTS _bemi CASCADE; DROP SCHEMA IF EXISTS app CASCADE; DROP TABLE IF EXISTS public.orders, public.invoices",
  );
});
afterAll(() => db.close());

function owner(statement: string): Promise<object[]> {
  return runSql(db.ownerUri, statement);
}

const TABLES = { tables: ["public.orders", "public.invoices"], trackNewTables: false };

function inputs(selection: object, migrations?: readonly string[]): ReplicaIdentityInputs {
  return {
    ...identityInputs(selection),
    ...(migrations === undefined ? {} : { migrations: [...migrations] }),
  };
}

test("a preview plans for the tables that exist, and names the others once", async () => {
  const planned = await identity.plan(inputs(TABLES, ["a"]), run);
  expect(planned.changes.join("\n")).toMatch(/1 table gets the replica identity FULL: public\.orders/);
  expect(planned.changes.at(-1)).toBe(
    "Does not exist yet: public.invoices. The migrations are to create it: otherwise up fails after they have run, before it tracks anything.",
  );
  // What depends on the tables is not known before the migrations have run.
  expect(Object.keys(planned.outputs)).toEqual(expect.arrayContaining(["branchId", "databaseName"]));
  expect(planned.outputs).not.toHaveProperty("fingerprint");
});

test("a schema that does not exist yet is no error either, and nothing warns of an empty publication", async () => {
  const wanted = { ...publicationInputs({ schemas: ["app"], trackNewTables: false }), migrations: ["a"] };
  const { changes } = await publication.plan(wanted, run);
  expect(changes).toEqual([
    "The publication bemi is created.",
    expect.stringMatching(/^Does not exist yet: schema app\. /),
  ]);
});

test.each([
  ["without migrations", undefined, undefined],
  ["when the migrations have run already", ["a"], ["a"]],
])("a table that does not exist is an error of the preview %s", async (_, migrations, recorded) => {
  const state = recorded === undefined ? undefined : inputs({ tables: ["public.orders"] }, recorded);
  await expect(identity.plan(inputs(TABLES, migrations), run, state)).rejects.toThrow(
    "public.invoices is not a table of this database.",
  );
});

test("a view and a table of somebody else's spelling stay errors", async () => {
  const wrong = { tables: ["no-table"], trackNewTables: false };
  await expect(identity.plan(inputs(wrong, ["a"]), run)).rejects.toThrow("is not a table name");
  const system = { schemas: ["pg_catalog"], trackNewTables: false };
  await expect(identity.plan(inputs(system, ["a"]), run)).rejects.toThrow("is a schema of PostgreSQL itself");
});

test("create and update see the tables that the migrations have made meanwhile", async () => {
  const all = { schemas: ["public"], trackNewTables: false };
  const first = await identity.create(inputs(all, ["a"]), run);
  expect(first).toMatchObject({ wanted: 1, done: 1 });

  await owner("CREATE TABLE public.invoices (id int PRIMARY KEY)");
  const before = { ...inputs(all, ["a"]), ...first };
  expect(await identity.update(before, inputs(all, ["b"]), run)).toMatchObject({ wanted: 2, done: 2 });
});

test("a table that the migrations have not made fails up before anything is changed", async () => {
  await expect(identity.create(inputs(TABLES, ["a"]), run)).rejects.toThrow(
    /^Nothing was changed, because of:\n.*public\.invoices is not a table of this database/,
  );
  const [orders] = await owner("SELECT relreplident FROM pg_class WHERE oid = 'public.orders'::regclass");
  expect(orders).toEqual({ relreplident: "d" });
});
