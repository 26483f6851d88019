import { readFileSync } from "node:fs";
import { LogicalReplicationService, PgoutputPlugin } from "pg-logical-replication";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { ReplicationSlotInputs } from "../../../provider/contract/kinds/replicationSlot";
import type { RoleOutputs } from "../../../provider/contract/fields/role";
import { replicationSlot } from "../../../provider/postgres/slot/replicationSlot";
import { dropSlot } from "../../../provider/postgres/slot/drop";
import { bemiRole } from "../../support/bemiRole";
import { has, testWith } from "../../support/features";
import { ROLE_MADE_BY, runSql, testDatabase, withClient, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, type TestRun } from "../../support/run";
import { unchanged } from "../../support/unchanged";
import { until } from "../../support/until";

let db: TestDatabase;
let bemi: RoleOutputs;
const runs: TestRun[] = [];
const consumers: { stop(): Promise<void> }[] = [];

const ROLE = { ...TARGET, name: "bemi", adopt: false, managedBy: "shop/dev/orders" };

beforeAll(async () => {
  db = await testDatabase({
    sql: "CREATE TABLE orders (id int PRIMARY KEY); CREATE PUBLICATION bemi FOR TABLE orders",
  });
  if (ROLE_MADE_BY === "api") bemi = await bemiRole.create(ROLE, newProcess());
});

beforeEach(async () => {
  // Again before each test, because some take away its login or drop it. No test does so to a role of Neon's API.
  if (ROLE_MADE_BY === "sql") bemi = await bemiRole.create(ROLE, newProcess());
});

afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()));
  await Promise.all(runs.splice(0).map((run) => run.end()));
  // The server may take a moment to notice that a consumer has gone.
  await until(async () => {
    await runSql(
      db.superuserUri,
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active",
    );
    return (await slot()) === undefined;
  });
});

afterAll(async () => {
  await db.close();
});

/** Every call is another plugin process. */
function newProcess(): TestRun {
  const run = testRun(db);
  runs.push(run);
  return run;
}

function inputs(more: Partial<ReplicationSlotInputs> = {}): ReplicationSlotInputs {
  return { ...TARGET, name: "bemi", role: "bemi", dropOnDestroy: true, ...more };
}

/** A consumer that never gives up: it connects again 100 ms after every failure. */
function consume(user: string, password: string): void {
  const uri = new URL(db.ownerUri);
  let stopped = false;
  let ended = false;
  let service: LogicalReplicationService | undefined;
  const loop = async () => {
    while (!stopped) {
      const config = {
        host: uri.hostname,
        port: Number(uri.port),
        database: "neondb",
        user,
        password,
        ssl: { ca: readFileSync(db.sslRootCert, "utf8") },
      };
      // Without timed acknowledgements: their timer outlives a connection that somebody else has ended.
      service = new LogicalReplicationService(config, { acknowledge: { auto: true, timeoutSeconds: 0 } });
      service.on("error", () => undefined);
      const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: ["bemi"] });
      await service.subscribe(plugin, "bemi").catch(() => undefined);
      // A connection whose request to stream was refused stays open otherwise.
      await service.stop();
      await sleep(100);
    }
    ended = true;
  };
  const running = loop();
  consumers.push({
    stop: async () => {
      stopped = true;
      // An attempt to connect has to come to its end by itself: one that is stopped halfway never returns.
      await until(async () => {
        if (service?.isStop() === false) await service.stop();
        return ended;
      });
      await running;
    },
  });
}

async function slot(): Promise<{ active: boolean } | undefined> {
  const [row] = await runSql<{ active: boolean }>(
    db.superuserUri,
    "SELECT active FROM pg_replication_slots WHERE slot_name = 'bemi'",
  );
  return row;
}

async function makeSlot(): Promise<void> {
  await runSql(db.superuserUri, "SELECT pg_create_logical_replication_slot('bemi', 'pgoutput')");
}

async function streaming(): Promise<void> {
  while ((await slot())?.active !== true) await sleep(20);
}

/** Only a role that this module made in SQL loses its login before the slot goes. */
const withRoleOfOurs = testWith("owner that makes Bemi's role in SQL");

test("outputs whether the slot is not created yet, inactive or active", async () => {
  const outputs = await replicationSlot.create(inputs(), newProcess());
  expect(outputs.state).toBe("not created yet");
  const state = { ...inputs(), ...outputs };
  await makeSlot();
  expect((await replicationSlot.read(state, newProcess()))?.outputs.state).toBe("inactive");
  consume("bemi", bemi.password);
  await streaming();
  expect(await replicationSlot.read(state, newProcess())).toMatchObject({ outputs: { state: "active" } });
});

withRoleOfOurs("stops a consumer that keeps reconnecting for good, and drops its slot", async () => {
  await makeSlot();
  consume("bemi", bemi.password);
  await streaming();
  await replicationSlot.delete(inputs(), newProcess());
  expect(await slot()).toBeUndefined();
  await sleep(500);
  const [connected] = await runSql<{ n: number }>(
    db.superuserUri,
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'bemi'",
  );
  expect(connected?.n).toBe(0);
  await replicationSlot.delete(inputs(), newProcess());
  await bemiRole.delete({ ...ROLE, ...bemi }, newProcess());
  const [left] = await runSql<{ n: number }>(
    db.superuserUri,
    `SELECT count(*)::int AS n FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
      WHERE r.rolname = 'neondb_owner' AND m.roleid <> 'neon_superuser'::regrole`,
  );
  expect(left?.n).toBe(0);
});

withRoleOfOurs("ends a connection that does not hold the slot yet and could make it again", async () => {
  await makeSlot();
  const uri = new URL(db.ownerUri);
  uri.username = "bemi";
  uri.password = bemi.password;
  const early = new Client({ connectionString: uri.href });
  early.on("error", () => undefined);
  await early.connect();
  await replicationSlot.delete(inputs(), newProcess());
  await early.query("SELECT pg_create_logical_replication_slot('bemi', 'pgoutput')").catch(() => undefined);
  await early.end();
  expect(await slot()).toBeUndefined();
});

withRoleOfOurs(
  "leaves the role without login if only the slot goes, and the next up repairs it",
  async () => {
    await makeSlot();
    await replicationSlot.delete(inputs(), newProcess());
    const state = { ...ROLE, ...bemi };
    expect((await bemiRole.read(state, newProcess()))?.drift).toEqual({
      roleAttributesLost: "LOGIN",
    });
    expect((await bemiRole.update(state, ROLE, newProcess())).password).toBe(bemi.password);
  },
);

test("names a slot that stays, with the log that it holds back", async () => {
  await makeSlot();
  const run = newProcess();
  await replicationSlot.delete(inputs({ dropOnDestroy: false }), run);
  expect(await slot()).toEqual({ active: false });
  expect(run.lines.join()).toMatch(/slot bemi stays.*holds back.*pg_drop_replication_slot\('bemi'\)/);
});

test("leaves a slot alone that another role uses", async () => {
  await makeSlot();
  const owner = new URL(db.ownerUri);
  consume(owner.username, owner.password);
  await streaming();
  const run = newProcess();
  await replicationSlot.delete(inputs(), run);
  expect(await slot()).toEqual({ active: true });
  expect(run.lines.join()).toMatch(/role neondb_owner uses it, not bemi/);
});

test("disconnects the consumer of an adopted role, and leaves the role as it is", async () => {
  await runSql(
    has("owner that makes Bemi's role in SQL") ? db.ownerUri : db.superuserUri,
    "CREATE ROLE theirs LOGIN REPLICATION PASSWORD 'theirs-password-1'",
  );
  await makeSlot();
  consume("theirs", "theirs-password-1");
  await streaming();
  await replicationSlot.delete(inputs({ role: "theirs" }), newProcess());
  const [role] = await runSql<{ rolcanlogin: boolean }>(
    db.superuserUri,
    "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'theirs'",
  );
  expect(role?.rolcanlogin).toBe(true);
  const [left] = await runSql<{ n: number }>(
    db.superuserUri,
    `SELECT count(*)::int AS n FROM pg_auth_members
      WHERE roleid = 'theirs'::regrole AND member = 'neondb_owner'::regrole AND grantor = member`,
  );
  expect(left?.n).toBe(0);
  expect(await slot()).toBeUndefined();
});

test("says in a preview why the consumer cannot use a slot of that name, and changes nothing", async () => {
  const lines = async (more: Partial<ReplicationSlotInputs> = {}) =>
    (await unchanged(db, () => replicationSlot.plan(inputs(more), newProcess()))).changes;
  expect(await lines()).toEqual([]);
  await makeSlot();
  expect(await lines()).toEqual([]);
  consume("bemi", bemi.password);
  await streaming();
  expect(await lines()).toEqual([]);
  expect(await lines({ role: "audit" })).toEqual([expect.stringMatching(/is in use by role bemi/)]);
  await runSql(db.superuserUri, "SELECT pg_create_logical_replication_slot('other', 'test_decoding')");
  await expect(lines({ name: "other" })).rejects.toThrow(
    /^Replication slot "other" exists already and has the plugin test_decoding instead of/,
  );
  const { outputs } = await replicationSlot.plan(inputs(), newProcess());
  expect(outputs).toMatchObject({ state: "active", branchName: "main" });
});

test("never touches a slot of another database, another plugin or another session", async () => {
  await runSql(
    db.superuserUri,
    "SELECT pg_create_physical_replication_slot('physical'), pg_create_logical_replication_slot('decoding', 'test_decoding')",
  );
  await runSql(
    db.superuserUri.replace("/neondb", "/postgres"),
    "SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')",
  );
  await withClient(db.superuserUri, async (session) => {
    await session.query("SELECT pg_create_logical_replication_slot('passing', 'pgoutput', true)");
    for (const name of ["physical", "decoding", "elsewhere", "passing"]) {
      const wanted = inputs({ name });
      await expect(replicationSlot.create(wanted, newProcess())).rejects.toThrow(
        /exists already and .* left as it is/,
      );
      // It was made after the trail: what the state says is no proof.
      const state = { ...wanted, existedBefore: false };
      expect((await replicationSlot.read(state, newProcess()))?.outputs.state).toBe("not created yet");
      const run = newProcess();
      await replicationSlot.delete(state, run);
      expect(run.lines).toEqual([
        expect.stringMatching(new RegExp(`^Replication slot ${name} stays, because it `)),
      ]);
      await run.session((opened) => dropSlot(opened, name, "bemi"));
    }
    const left = await session.query("SELECT FROM pg_replication_slots");
    expect(left.rowCount).toBe(4);
  });
});

test("keeps a slot that existed before, until that one is gone", async () => {
  await makeSlot();
  const outputs = await replicationSlot.create(inputs(), newProcess());
  expect(outputs).toMatchObject({ state: "inactive", existedBefore: true });
  const state = { ...inputs(), ...outputs };
  const run = newProcess();
  await replicationSlot.delete(state, run);
  expect(run.lines).toEqual([expect.stringMatching(/stays, because it existed before this trail/)]);
  await runSql(db.superuserUri, "SELECT pg_drop_replication_slot('bemi')");
  const gone = await replicationSlot.read(state, newProcess());
  expect(gone?.outputs).toMatchObject({ state: "not created yet", existedBefore: false });
  await makeSlot();
  await replicationSlot.delete({ ...state, ...gone?.outputs }, newProcess());
  expect(await slot()).toBeUndefined();
});

test("is imported with the role that reads it", async () => {
  const find = (name: string) =>
    replicationSlot.find?.(`cool-darkness-123456/main/neondb/${name}`, newProcess()) ??
    Promise.resolve(undefined);
  expect(await find("bemi")).toBeUndefined();
  await makeSlot();
  expect((await find("bemi"))?.inputs).toEqual({ ...TARGET, name: "bemi", role: "bemi" });
  await expect(replicationSlot.find?.("bemi", newProcess())).rejects.toThrow(
    /does not name a ReplicationSlot to import\. Write PROJECT\/BRANCH\/DATABASE\/NAME/,
  );
});
