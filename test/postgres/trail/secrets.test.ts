import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { watchedSession } from "../../support/watchedSession";
import { redact } from "../../../provider/contract/secrets";
import type { Session } from "../../../provider/contract/session";
import { removeDatabases } from "../../support/catalogState";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, withSessions, type TestRun } from "../../support/run";
import { Trail, type TrailArgs } from "../../support/trail";

const ARGS: TrailArgs = { ...TARGET, schemas: ["public"], createdBy: "sql" };

/** The logging that a careful administrator turns on. */
const LOGGED = {
  log_min_error_statement: "debug5",
  log_min_messages: "debug5",
  log_error_verbosity: "verbose",
  log_lock_waits: "on",
  deadlock_timeout: "1s",
  shared_preload_libraries: "pg_stat_statements",
};

/** What happens to the block that sets a password, once it has been sent. */
type Mishap = (send: () => Promise<object[]>) => Promise<object[]>;

let db: TestDatabase;
/** Every password that was sent to the server. */
let passwords: string[];
/** Text of every error, its stack and its properties. */
let errors: string[];
let mishap: Mishap | undefined;

function newRun(): TestRun {
  const watched = (session: Session): Session =>
    watchedSession(session, async (statement, send, values) => {
      const { password } = parse(values?.[0]);
      if (password !== undefined) passwords.push(password);
      if (!statement.includes("CREATE ROLE") || mishap === undefined) return send();
      return (await mishap(send)) as Awaited<ReturnType<typeof send>>;
    });
  return withSessions(testRun(db), watched);
}

function parse(value: unknown): { password?: string } {
  if (typeof value !== "string" || !value.startsWith("{")) return {};
  return JSON.parse(value) as { password?: string };
}

async function expectFailure(work: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("it did not fail");
  errors.push(`${String(error)}\n${error.stack ?? ""}\n${JSON.stringify(error)}`);
  expect(error.message).toMatch(message);
}

/** Lets the block that sets the password wait for an open transaction, and ends the wait. */
async function behind(
  statement: string,
  end: "lock" | "cancel" | "terminate",
  work: () => Promise<unknown>,
): Promise<void> {
  const other = new Client({ connectionString: db.superuserUri });
  await other.connect();
  mishap = async (send) => {
    await other.query(`BEGIN; ${statement}`);
    const answer = send();
    answer.catch(() => undefined);
    if (end !== "lock") {
      const waiting = `SELECT pg_${end}_backend(pid) FROM pg_stat_activity
                        WHERE application_name = 'pulumi-neon-bemi' AND wait_event_type = 'Lock'`;
      while ((await other.query(waiting)).rowCount === 0) await sleep(5);
    }
    return answer;
  };
  await expectFailure(work(), { lock: /lock timeout/, cancel: /cancel/, terminate: /broke/ }[end]);
  mishap = undefined;
  await other.end();
}

/** Where each password is found in clear. */
function traces(places: Record<string, string>): string[] {
  return passwords.flatMap((password) =>
    Object.entries(places).flatMap(([place, text]) =>
      text
        .split("\n")
        .filter((line) => line.includes(password))
        .map((line) => `${place}: ${line.replaceAll(password, "PASSWORD")}`),
    ),
  );
}

/** A role's whole life, and everything that can go wrong while its password is set. */
async function live(): Promise<{ lines: string[] }> {
  passwords = [];
  errors = [];
  // PostgreSQL 18 warns of MD5 passwords, and the warning contains the statement.
  await runSql(db.superuserUri, "ALTER ROLE neondb_owner SET password_encryption = 'md5'");
  const trail = new Trail(newRun);
  await trail.up(ARGS);
  await trail.up({ ...ARGS, passwordVersion: 2 });
  await runSql(db.ownerUri, "ALTER ROLE bemi PASSWORD 'somebody-elses'");
  expect(await trail.up({ ...ARGS, passwordVersion: 2 })).toEqual(["update role"]);
  await trail.destroy();
  const made = passwords.length;

  // Somebody makes the role at the same moment.
  mishap = async (send) => {
    await runSql(db.superuserUri, "CREATE ROLE bemi");
    return send();
  };
  await expectFailure(new Trail(newRun).up(ARGS), /role "bemi" already exists/);

  // The role exists, and the module may not change it.
  mishap = undefined;
  await runSql(db.superuserUri, "ALTER ROLE bemi LOGIN REPLICATION");
  await expectFailure(new Trail(newRun).up({ ...ARGS, adopt: true }), /cannot be changed by neondb_owner/);
  await runSql(db.superuserUri, "DROP ROLE bemi");

  // Another transaction that creates the role is open: the module gives up, is cancelled or is disconnected.
  for (const end of ["lock", "cancel", "terminate"] as const) {
    await behind("CREATE ROLE bemi", end, () => new Trail(newRun).up(ARGS));
  }
  // The same while another transaction changes the role.
  const again = new Trail(newRun);
  await again.up(ARGS);
  for (const end of ["cancel", "terminate"] as const) {
    await behind("ALTER ROLE bemi CONNECTION LIMIT 9", end, () => again.up({ ...ARGS, passwordVersion: 3 }));
  }
  await again.destroy();
  expect([made, passwords.length]).toEqual([3, 11]);
  return { lines: trail.lines };
}

describe.each([17, 18] as const)("PostgreSQL %i, log_statement = ddl", (version) => {
  beforeAll(async () => {
    db = await testDatabase({ version, settings: { ...LOGGED, log_statement: "ddl" } });
    await runSql(db.superuserUri, "CREATE EXTENSION pg_stat_statements");
  });
  afterEach(() => removeDatabases(db));
  afterAll(() => db.close());

  test("shows no password in the server's log, pg_stat_statements, errors or lines", async () => {
    const { lines } = await live();
    const statements = await runSql<{ query: string }>(
      db.superuserUri,
      "SELECT query FROM pg_stat_statements",
    );
    const log = readFileSync(db.serverLog, "utf8");
    // The log and pg_stat_statements do record what they see: finding no password in them means something.
    expect(log).toMatch(/ALTER ROLE bemi PASSWORD 'somebody-elses'/);
    expect(log).toMatch(/role "bemi" already exists/);
    expect(statements.some(({ query }) => query.includes("pulumi_neon_bemi.role"))).toBe(true);
    const places = {
      log,
      statements: statements.map(({ query }) => query).join("\n"),
      errors: errors.join("\n"),
      lines: lines.join("\n"),
    };
    expect(traces(places)).toEqual([]);
    // So no line about it is needed either.
    expect(places.lines).not.toContain("pg_stat_statements");
  });
});

describe("PostgreSQL 17, log_statement = all", () => {
  beforeAll(async () => {
    db = await testDatabase({ version: 17, settings: { ...LOGGED, log_statement: "all" } });
  });
  afterEach(() => removeDatabases(db));
  afterAll(() => db.close());

  test("shows a password in the log only as the bound parameter", async () => {
    await live();
    const found = traces({ log: readFileSync(db.serverLog, "utf8") });
    expect(found).toHaveLength(passwords.length);
    for (const line of found)
      expect(line).toMatch(/DETAIL: +(\d+: )?[Pp]arameters: \$1 = '\{.*"password":"PASSWORD"\}'$/);
  });
});

test("redacts what is printed", () => {
  expect(passwords.map((password) => redact(`a ${password} b`))).toEqual(passwords.map(() => "a [secret] b"));
});
