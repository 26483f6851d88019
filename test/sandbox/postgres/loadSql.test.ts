import { loadSql, readSql, statementStarts } from "../../../sandbox/loadSql";
import { repositoryFile } from "../../../sandbox/repository";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";

describe("finding statements", () => {
  const statements = (text: string): string[] =>
    statementStarts(text).map((start) => text.slice(start, start + 6));

  test("skips comments, also nested ones and ones with semicolons", () => {
    expect(statements("-- one; two\nSELECT 1; /* a; /* b; */ c; */ INSERT")).toEqual(["SELECT", "INSERT"]);
  });

  test("ignores semicolons in quotes and dollar quotes", () => {
    expect(
      statements(
        `SELECT 'a;''b;', "c;""d;", E'e\\';', $$f;$$, $x$g; $$ ;$x$;\nUPDATE t SET a = $1;;\nDELETE`,
      ),
    ).toEqual(["SELECT", "UPDATE", "DELETE"]);
  });
});

describe("loading", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(async () => {
    await database.close();
  });
  const load = (text: string): Promise<void> =>
    loadSql(database.ownerUri, database.sslRootCert, { path: "app.sql", text });

  test("makes the objects of the sample, with the owner role as their owner", async () => {
    const path = repositoryFile("sandbox", "sample.sql");
    await loadSql(database.ownerUri, database.sslRootCert, await readSql(path));
    const [row] = await runSql(
      database.ownerUri,
      `SELECT count(*) FILTER (WHERE relkind IN ('r', 'p'))::int AS tables,
              count(*) FILTER (WHERE relispartition AND relkind = 'r')::int AS partitions,
              count(DISTINCT relnamespace)::int AS schemas,
              bool_and(pg_get_userbyid(relowner) = 'neondb_owner') AS owned,
              (SELECT count(*)::int FROM product_descriptions WHERE length(body) > 10000) AS long_texts,
              (SELECT count(*)::int FROM "Customer Notes") AS notes,
              (SELECT count(*)::int FROM pg_attribute WHERE attgenerated = 's') AS generated
       FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'billing'::regnamespace)`,
    );
    expect(row).toEqual({
      tables: 19,
      partitions: 3,
      schemas: 2,
      owned: true,
      long_texts: 10,
      notes: 22,
      generated: 1,
    });
    const unidentified = await runSql(
      database.ownerUri,
      `SELECT relname FROM pg_class
       WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
         AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)`,
    );
    expect(unidentified).toEqual([{ relname: "stock_imports" }]);
  });

  test("reports a mistake with file and line, wherever PostgreSQL finds it", async () => {
    await expect(load("SELECT 1;\n\nSELEC 2;")).rejects.toThrow(/^app\.sql, line 3: syntax error/);
    await expect(load("SELECT 'ä€😀';\nSELECT nope;")).rejects.toThrow(
      'app.sql, line 2: column "nope" does not exist.',
    );
    await expect(load("CREATE TABLE t (id int);\n-- why\nSELECT 1\n/ 0;\nSELECT 2;")).rejects.toThrow(
      "app.sql, line 3: division by zero.",
    );
  });

  test("leaves no objects of a file that fails", async () => {
    await expect(load("CREATE TABLE half (id int); SELECT 1 / 0;")).rejects.toThrow(/division/);
    const rows = await runSql(database.ownerUri, "SELECT to_regclass('public.half') AS half");
    expect(rows).toEqual([{ half: null }]);
  });

  test("says that psql commands and COPY FROM stdin do not work", async () => {
    await expect(load("\\connect neondb\nSELECT 1;")).rejects.toThrow(/line 1: .*no psql commands/);
    await expect(load("CREATE TABLE c (id int);\nCOPY c FROM stdin;\n1\n\\.\n")).rejects.toThrow(
      /no COPY FROM stdin/,
    );
  });

  test("names a file that does not exist", async () => {
    await expect(readSql("missing.sql")).rejects.toThrow(/missing\.sql cannot be read/);
  });
});
