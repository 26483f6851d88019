import { readFileSync } from "node:fs";
import fc from "fast-check";
import { Client } from "pg";
import { UserError } from "../../../provider/contract/errors";
import { readAccessInputs, type ReadAccessInputs } from "../../../provider/contract/kinds/readAccess";
import {
  replicationRoleInputs,
  type ReplicationRoleInputs,
  type ReplicationRoleOutputs,
} from "../../../provider/contract/kinds/replicationRole";
import { readAccess } from "../../../provider/postgres/access/readAccess";
import { formatTableName, quoteTableName } from "../../../provider/postgres/catalog/tableNames";
import { encodeMark } from "../../../provider/postgres/ownership/mark";
import { replicationRole } from "../../../provider/postgres/role/replicationRole";
import { quoteIdentifier } from "../../../provider/postgres/sql/quote";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { change, down, up } from "../../support/stack";
import { TARGET, testRun, type TestRun, type TestRunOptions } from "../../support/run";
import { until } from "../../support/until";

let db: TestDatabase;
/** The roles whose next logins Neon's proxy refuses, because it still knows the old password. */
let oldPasswordOf: string[] = [];
const runs: TestRun[] = [];

beforeAll(async () => {
  db = await testDatabase({
    settings: { log_statement: "ddl", log_connections: "on" },
    refuseLogin: (role) => {
      if (role !== oldPasswordOf[0]) return undefined;
      oldPasswordOf.shift();
      return `password authentication failed for user '${role}'`;
    },
    sql: "CREATE TABLE orders (id int PRIMARY KEY)",
  });
});

afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.end()));
});

afterAll(async () => {
  await db.close();
});

/** Every call is another plugin process. */
function newProcess(options?: TestRunOptions): TestRun {
  const run = testRun(db, options);
  runs.push(run);
  return run;
}

function inputs(name: string, more: Partial<ReplicationRoleInputs> = {}): ReplicationRoleInputs {
  return { ...TARGET, name, adopt: false, managedBy: "shop/dev/orders", ...more };
}

async function make(wanted: ReplicationRoleInputs): Promise<ReplicationRoleInputs & ReplicationRoleOutputs> {
  return { ...wanted, ...(await replicationRole.create(wanted, newProcess())) };
}

async function gets(state: ReplicationRoleOutputs): Promise<boolean> {
  const uri = new URL(db.ownerUri);
  uri.username = state.username;
  uri.password = state.password;
  const client = new Client({ connectionString: uri.href });
  try {
    await client.connect();
    await client.query("SELECT 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

async function roleRow(name: string) {
  const [row] = await runSql<Record<string, unknown>>(
    db.superuserUri,
    `SELECT rolcanlogin, rolreplication, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolconfig,
            shobj_description(oid, 'pg_authid') AS mark,
            (SELECT count(*)::int FROM pg_auth_members WHERE member = r.oid) AS memberships,
            (SELECT count(*)::int FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.member
              WHERE m.roleid = r.oid AND m.grantor = m.member) AS self_grants
       FROM pg_roles r WHERE rolname = $1`,
    [name],
  );
  return row;
}

const EXACT = {
  rolcanlogin: true,
  rolreplication: true,
  rolsuper: false,
  rolcreatedb: false,
  rolcreaterole: false,
  rolbypassrls: false,
  rolconfig: ["default_transaction_read_only=on"],
  memberships: 0,
};

const MARK = { ...TARGET, branchId: "br-cool-sea-123456", managedBy: "shop/dev/orders" };

test("makes a role with exactly its attributes, and drops it on destroy", async () => {
  const state = await make(inputs("bemi"));
  expect(state).toMatchObject({
    username: "bemi",
    created: true,
    branchId: "br-cool-sea-123456",
    ownershipId: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
  });
  expect(await roleRow("bemi")).toMatchObject({
    ...EXACT,
    mark: encodeMark({ ...MARK, id: state.ownershipId }),
  });
  expect(state.password.length).toBeGreaterThanOrEqual(24);
  expect(await gets(state)).toBe(true);

  const observed = await replicationRole.read(state, newProcess());
  expect(observed?.drift).toEqual({});
  expect(observed?.outputs.password).toBe(state.password);
  expect(observed?.outputs.ownershipId).toBe(state.ownershipId);

  await replicationRole.delete(state, newProcess());
  await replicationRole.delete(state, newProcess());
  expect(await roleRow("bemi")).toBeUndefined();
  expect(await replicationRole.read(state, newProcess())).toBeUndefined();
});

test("continues an interrupted create with a new password", async () => {
  const first = await make(inputs("again"));
  const second = await make(inputs("again"));
  expect(second.password).not.toBe(first.password);
  expect(second.ownershipId).toBe(first.ownershipId);
  expect([await gets(first), await gets(second)]).toEqual([false, true]);
  await replicationRole.delete(second, newProcess());
});

test("refuses a role that it did not make on this branch and says to set adopt", async () => {
  await make(inputs("shared"));
  const elsewhere = inputs("shared", { managedBy: "shop/prod/orders" });
  await expect(replicationRole.create(elsewhere, newProcess())).rejects.toThrow(
    /exists already.*shop\/dev\/orders.*adopt: true/,
  );
  const copied = newProcess({ branchId: "br-other-lake-123456" });
  await expect(replicationRole.create(inputs("shared"), copied)).rejects.toThrow(/came with the branch/);
  await runSql(db.ownerUri, "CREATE ROLE foreigner LOGIN REPLICATION");
  await expect(replicationRole.create(inputs("foreigner"), newProcess())).rejects.toThrow(UserError);
  expect(await roleRow("foreigner")).toMatchObject({ mark: null });
});

test("leaves an adopted role all but its password, also on destroy", async () => {
  await runSql(db.ownerUri, "CREATE ROLE given LOGIN REPLICATION CREATEDB");
  const before = await roleRow("given");
  const state = await make(inputs("given", { adopt: true }));
  expect(state.created).toBe(false);
  expect(await gets(state)).toBe(true);
  expect((await replicationRole.read(state, newProcess()))?.drift).toEqual({});
  await replicationRole.delete(state, newProcess());
  expect(await roleRow("given")).toEqual(before);
});

test("ends the membership that a killed destroy has left, and shows it as drift before", async () => {
  await runSql(db.ownerUri, "CREATE ROLE lent LOGIN REPLICATION");
  const state = await make(inputs("lent", { adopt: true }));
  const before = await roleRow("lent");
  await runSql(db.ownerUri, "GRANT lent TO neondb_owner WITH INHERIT TRUE, SET FALSE");
  expect((await replicationRole.read(state, newProcess()))?.drift).toHaveProperty("rightsLeftOver");
  expect((await replicationRole.update(state, state, newProcess())).password).toBe(state.password);
  expect(await roleRow("lent")).toEqual(before);
});

test("refuses to adopt a role that cannot replicate, or that another role made", async () => {
  await runSql(db.ownerUri, "CREATE ROLE weak LOGIN");
  await expect(replicationRole.create(inputs("weak", { adopt: true }), newProcess())).rejects.toThrow(
    /lacks REPLICATION/,
  );
  await runSql(db.superuserUri, "CREATE ROLE theirs LOGIN REPLICATION");
  await expect(replicationRole.create(inputs("theirs", { adopt: true }), newProcess())).rejects.toThrow(
    /WITH ADMIN OPTION/,
  );
});

test("refuses a role that another role made, with this resource's mark on it", async () => {
  const wanted = inputs("forged");
  const mark = encodeMark({
    ...TARGET,
    branchId: "br-cool-sea-123456",
    managedBy: wanted.managedBy,
    id: "00",
  });
  await runSql(
    db.superuserUri,
    `CREATE ROLE hostile CREATEROLE REPLICATION; SET SESSION AUTHORIZATION hostile;
     CREATE ROLE forged LOGIN REPLICATION CREATEROLE PASSWORD 'known-to-hostile'; COMMENT ON ROLE forged IS '${mark}';
     GRANT forged TO neondb_owner WITH ADMIN OPTION`,
  );
  for (const adopt of [false, true]) {
    await expect(replicationRole.plan({ ...wanted, adopt }, newProcess())).rejects.toThrow(
      /was made by hostile/,
    );
    await expect(replicationRole.create({ ...wanted, adopt }, newProcess())).rejects.toThrow(
      /was made by hostile/,
    );
  }
  const state = { ...wanted, created: true, ownershipId: "00", password: "in-the-state" };
  const run = newProcess();
  await replicationRole.delete(state, run);
  expect(run.lines).toEqual([expect.stringMatching(/^Role forged stays: .*made by another role/)]);
  expect(await roleRow("forged")).toMatchObject({ rolcanlogin: true });

  await runSql(db.superuserUri, "COMMENT ON ROLE forged IS NULL");
  const adopting = { ...wanted, adopt: true };
  const says = /is taken over.*more rights than Bemi needs, and keeps them: CREATEROLE/;
  expect((await replicationRole.plan(adopting, newProcess())).changes).toContainEqual(
    expect.stringMatching(says),
  );
  const up = newProcess();
  expect(await replicationRole.create(adopting, up)).toMatchObject({ created: false });
  expect(up.lines).toEqual([expect.stringMatching(says)]);
  await runSql(db.superuserUri, "DROP ROLE forged; DROP ROLE hostile");
});

test("names drift and repairs only what differs", async () => {
  const state = await make(inputs("drifter"));
  await runSql(
    db.superuserUri,
    `ALTER ROLE drifter NOREPLICATION CREATEDB; ALTER ROLE drifter RESET default_transaction_read_only;
     CREATE ROLE team; GRANT team TO drifter`,
  );
  const observed = await replicationRole.read(state, newProcess());
  expect(observed?.drift).toEqual({
    roleAttributesLost: "REPLICATION, NOCREATEDB",
    roleNotReadOnly: expect.any(String) as string,
    roleMemberships: "team",
  });
  await runSql(db.superuserUri, "REVOKE team FROM drifter; DROP ROLE team");
  const repaired = await replicationRole.update(state, state, newProcess());
  expect(repaired.password).toBe(state.password);
  expect(await roleRow("drifter")).toMatchObject(EXACT);
  await replicationRole.delete(state, newProcess());
});

test("lets the other resources be read while a refresh logs in as the role", async () => {
  const state = await make(inputs("unhurried"));
  const run = newProcess();
  const whoever = { projectId: TARGET.projectId, database: TARGET.database };
  const oncePerCommand = async (): Promise<string> => {
    await run.sql(whoever, (session) => session.read("SELECT 1"));
    return "ok";
  };
  const read = await replicationRole.read(
    state,
    Object.assign(Object.create(run) as TestRun, { oncePerCommand }),
  );
  expect(read?.drift).toEqual({});
  await replicationRole.delete(state, newProcess());
}, 30_000);

test("replaces a password that a login refuses, and a right one with passwordVersion", async () => {
  const state = await make(inputs("locked"));
  await runSql(db.ownerUri, "ALTER ROLE locked PASSWORD 'changed-behind-its-back-1'");
  expect((await replicationRole.read(state, newProcess()))?.drift).toHaveProperty("passwordChanged");
  const mended = await replicationRole.update(state, state, newProcess());
  expect(mended.password).not.toBe(state.password);
  expect(await gets(mended)).toBe(true);

  const wanted = inputs("locked", { passwordVersion: 2 });
  const rotated = await replicationRole.update({ ...state, ...mended }, wanted, newProcess());
  expect(rotated.password).not.toBe(mended.password);
  expect([await gets(mended), await gets(rotated)]).toEqual([false, true]);
  await replicationRole.delete({ ...state, ...rotated }, newProcess());
});

test("a login that was refused while the role lacked a right does not cost it its password", async () => {
  const state = await make(inputs("barred"));
  await runSql(db.ownerUri, "ALTER ROLE barred NOLOGIN");
  const command = newProcess();
  expect((await replicationRole.read(state, command))?.drift).toEqual({ roleAttributesLost: "LOGIN" });
  const mended = await replicationRole.update(state, state, command);
  expect(mended.password).toBe(state.password);
  expect(await gets(mended)).toBe(true);
  await replicationRole.delete({ ...state, ...mended }, newProcess());
});

test("is patient with a proxy that still knows the old password", async () => {
  const state = await make(inputs("settling"));
  oldPasswordOf = ["settling", "settling"];
  const wanted = inputs("settling", { passwordVersion: 2 });
  const rotated = await replicationRole.update(state, wanted, newProcess());
  expect(oldPasswordOf).toEqual([]);
  expect(await gets(rotated)).toBe(true);
  await replicationRole.delete({ ...state, ...rotated }, newProcess());
});

test("makes a role again that somebody dropped", async () => {
  const state = await make(inputs("lost"));
  await runSql(db.ownerUri, "DROP ROLE lost");
  const made = await replicationRole.update(state, state, newProcess());
  expect(made.created).toBe(true);
  expect(await gets(made)).toBe(true);
  await replicationRole.delete({ ...state, ...made }, newProcess());
});

test("ends connections and revokes privileges in every database on destroy", async () => {
  const state = await make(inputs("busy"));
  await runSql(db.ownerUri, "CREATE DATABASE second");
  const second = db.ownerUri.replace("/neondb?", "/second?");
  await runSql(second, "CREATE TABLE t (id int); GRANT SELECT ON t TO busy");
  await runSql(
    db.ownerUri,
    "GRANT SELECT ON orders TO busy; GRANT CREATE ON DATABASE neondb TO busy; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO busy",
  );
  const uri = new URL(db.ownerUri);
  uri.username = "busy";
  uri.password = state.password;
  const client = new Client({ connectionString: uri.href });
  await client.connect();
  const ended = new Promise<void>((resolve) => {
    client.on("error", () => {
      resolve();
    });
  });

  await replicationRole.delete(state, newProcess());
  await ended;
  expect(await roleRow("busy")).toBeUndefined();
  await runSql(db.superuserUri, "DROP DATABASE second");
});

test("refuses to drop a role that owns objects, and continues once those are gone", async () => {
  const state = await make(inputs("owner"));
  await runSql(db.superuserUri, "CREATE TABLE theirs (id int); ALTER TABLE theirs OWNER TO owner");
  await expect(replicationRole.delete(state, newProcess())).rejects.toThrow(
    /owns 1 object in database "neondb"/,
  );
  expect(await roleRow("owner")).toMatchObject({ self_grants: 0 });
  await runSql(db.superuserUri, "DROP TABLE theirs");
  await replicationRole.delete(state, newProcess());
  expect(await roleRow("owner")).toBeUndefined();
});

test("names privileges that owners out of reach granted", async () => {
  const state = await make(inputs("granted"));
  await runSql(db.superuserUri, "CREATE TABLE admins (id int); GRANT SELECT ON admins TO granted");
  await expect(replicationRole.delete(state, newProcess())).rejects.toThrow(/1 object in database "neondb"/);
  await runSql(db.superuserUri, "DROP TABLE admins");
  await replicationRole.delete(state, newProcess());
});

test("keeps passwords out of the server's log and out of errors", async () => {
  const state = await make(inputs("hidden"));
  await runSql(db.superuserUri, "CREATE ROLE untouchable LOGIN REPLICATION");
  const error: unknown = await replicationRole
    .create(inputs("untouchable", { adopt: true }), newProcess())
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  expect(JSON.stringify(error) + String(error)).not.toMatch(/PASSWORD/);
  const log = readFileSync(db.serverLog, "utf8");
  expect(log).toContain("permission denied to alter role");
  expect(log).not.toContain(state.password);
  expect(log).not.toMatch(/(hidden|untouchable)"? [^\n]*PASSWORD '/i);
  await replicationRole.delete(state, newProcess());
});

function loginsAs(role: string): number {
  return readFileSync(db.serverLog, "utf8").split(`connection authorized: user=${role} `).length - 1;
}

test("a refresh logs in as the role while it reads the catalog", async () => {
  const state = await make(inputs("parallel"));
  const superuser = new Client({ connectionString: db.superuserUri });
  await superuser.connect();
  await superuser.query("BEGIN; LOCK pg_catalog.pg_publication");
  const read = replicationRole.read(state, newProcess());
  await until(() => loginsAs("parallel") === 2);
  await superuser.end();
  expect((await read)?.drift).toEqual({});
  await replicationRole.delete(state, newProcess());
});

test("logs in as the role once per create and once per refresh", async () => {
  const logins = () => loginsAs("counted");
  const state = await make(inputs("counted"));
  expect(logins()).toBe(1);
  const refresh = newProcess();
  await replicationRole.read(state, refresh);
  await replicationRole.read(state, refresh);
  expect(logins()).toBe(2);
  await replicationRole.delete(state, newProcess());
});

/** Pieces of names that break code which puts a name into SQL without quoting it, or into quotes that it contains. */
const PIECES = [
  "$block$",
  "$block1$",
  "$$",
  "$",
  "'",
  '"',
  "\\",
  "%",
  "%I",
  "\n",
  ";",
  "--",
  "/*",
  ".",
  " ",
  "é",
  "🛒",
  "x",
  "A",
  "{",
  "E'",
];

test("takes any name that the contract permits, for roles, schemas and tables", async () => {
  const names = fc.sample(
    fc
      .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 8 })
      .map((pieces) => `r${pieces.join("")}`),
    { numRuns: 2, seed: 11 },
  );
  for (const name of [...names, "r$block$x$block1$"]) {
    expect(replicationRoleInputs.safeParse(inputs(name)).success).toBe(true);
    const table = formatTableName({ schema: name, name });
    await db.sql(
      `CREATE SCHEMA ${quoteIdentifier(name)}; CREATE TABLE ${quoteTableName({ schema: name, name })} (id int)`,
    );
    const role = await make(inputs(name));
    const access: ReadAccessInputs = { ...TARGET, role: name, schemas: [name] };
    expect(await readAccess.create(access, newProcess())).toMatchObject({ readable: 1, wanted: 1 });
    const args = { schemas: [name], excludeTables: [] };
    const stack = await up(newProcess(), { tables: [table] });
    expect(stack.publication).toMatchObject({ wanted: 1, done: 1 });
    expect((await replicationRole.read(role, newProcess()))?.drift).toEqual({});
    await down(newProcess(), await change(newProcess(), stack, args));
    await readAccess.delete(access, newProcess());
    await replicationRole.delete(role, newProcess());
    expect(await roleRow(name)).toBeUndefined();
    await db.sql(`DROP SCHEMA ${quoteIdentifier(name)} CASCADE`);
  }
  expect(await db.sql("SELECT pubname FROM pg_publication")).toEqual([]);
});

test.each(["", "a".repeat(64), "é".repeat(32), "a\0b", "a\ud800"])(
  "refuses the name %j, which the server cannot have",
  (name) => {
    const messages = (result: { error?: { issues: readonly { message: string }[] } | undefined }): unknown =>
      result.error?.issues.map(({ message }) => message);
    const said = [expect.stringMatching(/must (not be empty|be at most 63 bytes)/) as unknown];
    expect(messages(replicationRoleInputs.safeParse(inputs(name)))).toEqual(said);
    expect(messages(readAccessInputs.safeParse({ ...TARGET, role: "bemi", schemas: [name] }))).toEqual(said);
    if (name !== "")
      expect(
        messages(readAccessInputs.safeParse({ ...TARGET, role: "bemi", tables: [`public.${name}`] })),
      ).toEqual([expect.stringMatching(/at most 63 bytes each/)]);
  },
);
