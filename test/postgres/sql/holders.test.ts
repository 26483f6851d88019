import { Client } from "pg";
import { describeOlderWriters, runTogether, waitForOlderWriters } from "../../../provider/postgres/sql/block";
import {
  describeHolders,
  explainLocksOn,
  sessionHolder,
  slotHolder,
  tableHolders,
  type Holder,
} from "../../../provider/postgres/sql/holders";
import { has } from "../../support/features";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";
import { untilItWaits } from "../../support/lockWait";

const NOBODY: Holder = {
  pid: 7,
  prepared: null,
  role: null,
  application: null,
  since: null,
  state: null,
  command: null,
  background: false,
};

test("says no more of a session than is known", () => {
  expect(describeHolders([])).toBeUndefined();
  expect(describeHolders([NOBODY])).toBe(
    "Held by session 7. Wait until that ends, or end it: SELECT pg_terminate_backend(7). Then run again.",
  );
  expect(describeHolders([{ ...NOBODY, pid: null, prepared: "it's", role: "app" }])).toBe(
    "Held by prepared transaction it's (role app). Wait until that ends, or end it: ROLLBACK PREPARED 'it''s'. Then run again.",
  );
  expect(describeHolders([{ ...NOBODY, background: true }])).toBe(
    "Held by session 7 (a process of the server itself, as autovacuum). Wait until that ends. Then run again.",
  );
});

let db: TestDatabase;
let run: TestRun;
let other: Client;
let pid: number;

beforeAll(async () => {
  db = await testDatabase({ settings: { max_prepared_transactions: "2" } });
  await runSql(db.superuserUri, "CREATE ROLE app LOGIN");
  await runSql(db.ownerUri, `CREATE TABLE orders (id int); CREATE PUBLICATION bemi; CREATE SCHEMA _bemi`);
});
afterAll(() => db.close());
beforeEach(async () => {
  run = testRun(db);
  other = new Client({ connectionString: db.superuserUri, application_name: "nightly import" });
  await other.connect();
  pid = ((await other.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0] ?? { pid: 0 }).pid;
  await other.query("BEGIN");
});
afterEach(async () => {
  await other.end();
  await run.end();
});

test("a statement that waits for an open migration names it", async () => {
  const change = has("ADD that locks the publication") ? "ALTER" : "DROP";
  await other.query(change === "ALTER" ? "ALTER PUBLICATION bemi ADD TABLE orders" : "DROP PUBLICATION bemi");
  await run.session(async (session) => {
    const dropping = runTogether(session, ['DROP PUBLICATION "bemi"']);
    await expect(dropping).rejects.toThrow(
      // The owner may see what other sessions do: neon_superuser is a member of pg_monitor.
      new RegExp(
        `\\(55P03\\)\\. Held by session ${pid} \\(role cloud_admin, application nightly import, since [-0-9: ]+ UTC, idle in transaction, last statement ${change}\\)\\. Wait until that ends, or end it: SELECT pg_terminate_backend\\(${pid}\\)\\. Then run again\\.`,
      ),
    );
  });
});

test("a statement that waits for a row of a catalog names who may have changed it", async () => {
  await other.query("GRANT USAGE ON SCHEMA _bemi TO app");
  await run.session(async (session) => {
    const granting = explainLocksOn(session, ["_bemi"], () =>
      session.write("GRANT USAGE ON SCHEMA _bemi TO app"),
    );
    await expect(granting).rejects.toThrow(`Perhaps held by session ${pid} (role cloud_admin,`);
  });
});

test("a grant that another one overtakes is repeated", async () => {
  await other.query("GRANT CREATE ON SCHEMA _bemi TO app");
  await run.session(async (session) => {
    const granting = runTogether(session, ["GRANT USAGE ON SCHEMA _bemi TO app"]);
    await untilItWaits(db);
    await other.query("COMMIT");
    await granting;
  });
  const [acl] = await runSql<{ acl: string }>(
    db.superuserUri,
    "SELECT nspacl::text AS acl FROM pg_namespace WHERE nspname = '_bemi'",
  );
  expect(acl?.acl).toContain("app=UC/");
});

test("names the holder of a table, with all that a monitoring role may see", async () => {
  await runSql(db.superuserUri, "GRANT pg_read_all_stats TO neondb_owner");
  await other.query("LOCK TABLE public.orders IN SHARE MODE /* and something secret */");
  await run.session(async (session) => {
    const [orders] = await session.read<{ oid: number }>("SELECT 'public.orders'::regclass::oid AS oid");
    expect(describeHolders(await tableHolders(session, [Number(orders?.oid)]))).toMatch(
      new RegExp(
        `^Held by session ${pid} \\(role cloud_admin, application nightly import, since \\d{4}-\\d\\d-\\d\\d [\\d:]{8} UTC, idle in transaction, last statement LOCK\\)\\.`,
      ),
    );
    expect(await slotHolder(session, "nobody")).toEqual([]);
  });
  await runSql(db.superuserUri, "REVOKE pg_read_all_stats FROM neondb_owner");
});

test("what keeps members from being changed is no reader, but whoever has changed the publication", async () => {
  await other.query("SELECT FROM public.orders");
  await run.session(async (session) => {
    const [orders] = await session.read<{ oid: number }>("SELECT 'public.orders'::regclass::oid AS oid");
    const members = () =>
      tableHolders(session, [Number(orders?.oid)], { of: "members", publication: "bemi" });
    expect(await tableHolders(session, [Number(orders?.oid)])).toMatchObject([{ pid }]);
    expect(await members()).toEqual([]);
    // As an event trigger does in a transaction of the application that creates a table.
    await other.query("CREATE TABLE public.made (id int); ALTER PUBLICATION bemi ADD TABLE public.made");
    const holder = { pid, role: "cloud_admin", application: "nightly import" };
    // Without a lock on the publication, the change keeps nobody from changing members.
    expect(await members()).toMatchObject(has("ADD that locks the publication") ? [holder] : []);
    expect(await sessionHolder(session, pid)).toMatchObject([{ pid, role: "cloud_admin" }]);
  });
});

test("names the oldest transaction that still writes", async () => {
  await other.query("CREATE TABLE public.later (id int)");
  await run.session(async (session) => {
    expect(await waitForOlderWriters(session, "0.1 s")).toBe(false);
    expect(await describeOlderWriters(session)).toMatch(
      `an older transaction is still writing. Held by session ${pid} (role cloud_admin`,
    );
  });
});

test("names a prepared transaction, and the statement that ends it", async () => {
  await other.query(
    "LOCK TABLE public.orders; INSERT INTO orders VALUES (1); PREPARE TRANSACTION 'left over'",
  );
  try {
    await run.session(async (session) => {
      const altering = explainLocksOn(session, ["orders"], () => session.write("DROP TABLE public.orders"));
      await expect(altering).rejects.toThrow(
        /Held by prepared transaction left over \(role cloud_admin, since .*ROLLBACK PREPARED 'left over'/,
      );
      expect(await describeOlderWriters(session)).toMatch(/Held by prepared transaction left over/);
    });
  } finally {
    await other.query("ROLLBACK PREPARED 'left over'");
  }
});
