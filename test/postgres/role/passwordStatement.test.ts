import { readFileSync } from "node:fs";
import { Client } from "pg";
import { watchedSession } from "../../support/watchedSession";
import { changeRole } from "../../../provider/postgres/role/statement";
import type { Session } from "../../../provider/contract/session";
import { newDatabase, removeDatabases } from "../../support/catalogState";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { Trail } from "../../support/trail";

/** Nested statements are recorded, and whatever goes wrong is written down with all that is known of it. */
const SETTINGS = {
  "pg_stat_statements.track": "all",
  log_min_error_statement: "debug5",
  log_min_messages: "debug5",
  log_error_verbosity: "verbose",
  shared_preload_libraries: "pg_stat_statements,passwordcheck",
};

/** What lets the very statement fail that sets a password, and how the server puts it. */
const FAILURES = {
  "the server refuses it": {
    // The library passwordcheck does.
    password: "contains-bemi-2345",
    settings: "",
    message: "password must not contain user name",
  },
  "it runs out of time": {
    password: "takes-long-to-hash-2345",
    settings: "SET scram_iterations = 1000000000; SET statement_timeout = '1s'",
    message: "canceling statement due to statement timeout",
  },
} as const;

const ARGS = { ...TARGET, schemas: ["public"], createdBy: "sql" } as const;

describe.each([
  {
    // Before 16, only a superuser can make the role, and hashing cannot be interrupted.
    version: 15,
    overload: "oid, oid, bigint, boolean",
    obstacles: ["elsewhere"],
    failures: ["the server refuses it"],
  },
  {
    version: 18,
    overload: "oid, oid, bigint",
    obstacles: ["elsewhere", "not allowed"],
    failures: ["the server refuses it", "it runs out of time"],
  },
] as const)("PostgreSQL $version", ({ version, overload, obstacles, failures }) => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await testDatabase({ version, owner: version < 16 ? "superuser" : "api", settings: SETTINGS });
    await runSql(
      db.superuserUri,
      `CREATE SCHEMA "Odd stats"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd stats";
       GRANT USAGE ON SCHEMA "Odd stats" TO neondb_owner`,
    );
  });
  // As Neon does.
  beforeEach(() =>
    runSql(db.superuserUri, 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA "Odd stats" TO neondb_owner'),
  );
  afterEach(() => removeDatabases(db));
  afterAll(() => db.close());

  /** What pg_stat_statements has of this text, in any database. */
  const recorded = (text: string) =>
    runSql(db.superuserUri, `SELECT FROM "Odd stats".pg_stat_statements WHERE strpos(query, $1) > 0`, [text]);

  test("removes a password from pg_stat_statements, and nothing else", async () => {
    await db.sql("SELECT 'a statement of the app'::text AS kept");
    // Somebody's function, which would be taken for the extension's if it were called like that of another version.
    await runSql(
      db.superuserUri,
      `CREATE FUNCTION "Odd stats".pg_stat_statements_reset(${overload}) RETURNS void LANGUAGE sql AS 'SELECT'`,
    );
    const trail = new Trail(() => testRun(db));
    for (const passwordVersion of [1, 2]) {
      await trail.up({ ...ARGS, passwordVersion });
      expect(await recorded(passwordOf(trail))).toEqual([]);
    }
    expect(await recorded("ALTER ROLE bemi LOGIN")).toHaveLength(1);
    expect(await recorded("AS kept")).toHaveLength(1);
    expect(trail.lines.join()).not.toContain("pg_stat_statements");
    await runSql(db.superuserUri, `DROP FUNCTION "Odd stats".pg_stat_statements_reset(${overload})`);
    await trail.destroy();
  });

  test.each(obstacles)("logs what to do where it cannot remove the password: %s", async (obstacle) => {
    const database = obstacle === "elsewhere" ? await newDatabase(db) : TARGET.database;
    if (obstacle === "not allowed")
      await runSql(
        db.superuserUri,
        'REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA "Odd stats" FROM neondb_owner',
      );
    const trail = new Trail(() => testRun(db));
    await trail.up({ ...ARGS, database });
    expect(await recorded(passwordOf(trail))).toHaveLength(1);

    const lines = trail.lines.filter((line) => line.includes("pg_stat_statements"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain(passwordOf(trail));
    const advice = /run: (SELECT .*)$/.exec(lines[0] ?? "")?.[1] ?? "";
    await runSql(db.superuserUri, `SET search_path = "Odd stats"; ${advice}`);
    expect(await recorded(passwordOf(trail))).toEqual([]);
    await trail.destroy();
  });

  test.each(failures)("tells no password when the statement that sets it fails: %s", async (title) => {
    const { password, settings, message } = FAILURES[title];
    await db.sql("CREATE ROLE bemi LOGIN PASSWORD 'of-before-2345'");
    const client = new Client({ connectionString: db.ownerUri });
    await client.connect();
    await client.query(`SET search_path = pg_catalog, pg_temp; ${settings}`);
    const run = testRun(db);
    const error = await run
      .session((session) =>
        changeRole(
          withErrorsOf(client, session),
          {
            name: "bemi",
            create: false,
            attributes: [],
            leave: [],
            readOnly: false,
            connect: false,
            password,
          },
          run,
        ),
      )
      .catch((reason: unknown) => reason);
    await client.end();
    await run.end();

    // The driver's error has all that the server sent: detail, hint, context and inner statement among it.
    expect(error).toMatchObject({ message, where: expect.stringContaining("PL/pgSQL function") as string });
    expect(JSON.stringify(error)).not.toContain(password);
    const log = readFileSync(db.serverLog, "utf8");
    expect(log).toContain(`ERROR:  ${title === "it runs out of time" ? "57014" : "22023"}: ${message}`);
    expect(log).not.toContain(password);
    expect(await recorded(password)).toEqual([]);
  });
});

function passwordOf(trail: Trail): string {
  return String(trail.state["role"]?.outputs["password"]);
}

/** A session whose statements fail with everything the server says, which a real one keeps to itself. */
function withErrorsOf(client: Client, session: Session): Session {
  return watchedSession(
    session,
    async <Row extends object>(statement: string, _: unknown, values: readonly unknown[] | undefined) =>
      (await client.query<Row>(statement, values && [...values])).rows,
  );
}
