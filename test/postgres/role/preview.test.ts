import type {
  ReplicationRoleInputs,
  ReplicationRoleOutputs,
} from "../../../provider/contract/kinds/replicationRole";
import { encodeMark } from "../../../provider/postgres/ownership/mark";
import { replicationRole } from "../../../provider/postgres/role/replicationRole";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { refusal } from "../../support/refusal";
import { TARGET, testRun, type TestRun } from "../../support/run";
import { unchanged } from "../../support/unchanged";

let db: TestDatabase;
const runs: TestRun[] = [];

beforeAll(async () => {
  db = await testDatabase();
});

afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.end()));
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

function inputs(name: string, more: Partial<ReplicationRoleInputs> = {}): ReplicationRoleInputs {
  return { ...TARGET, name, adopt: false, managedBy: "shop/dev/orders", ...more };
}

type State = ReplicationRoleInputs & Partial<ReplicationRoleOutputs>;

async function make(wanted: ReplicationRoleInputs): Promise<State> {
  return { ...wanted, ...(await replicationRole.create(wanted, newProcess())) };
}

function plan(wanted: ReplicationRoleInputs, state?: State) {
  return unchanged(db, () => replicationRole.plan(wanted, newProcess(), state));
}

test("says that the role is made, and knows all but its password and its id", async () => {
  const { changes, outputs } = await plan(inputs("new"));
  expect(changes).toEqual([
    "Role new is made, with LOGIN and REPLICATION, read-only by default, and with a new password.",
  ]);
  expect(outputs).toMatchObject({ username: "new", created: true, port: expect.any(Number) as number });
  expect(Object.keys(outputs)).not.toEqual(expect.arrayContaining(["password"]));
  expect(Object.keys(outputs)).not.toEqual(expect.arrayContaining(["ownershipId"]));
});

test("says nothing of a role that is as it should be, and keeps its password and its id", async () => {
  const state = await make(inputs("steady"));
  const { changes, outputs } = await plan(inputs("steady"), state);
  expect(changes).toEqual([]);
  expect(outputs).toMatchObject({ password: state.password, ownershipId: state.ownershipId });
});

test("names what comes back, and a password that is replaced", async () => {
  const state = await make(inputs("drifter"));
  await runSql(
    db.superuserUri,
    `ALTER ROLE drifter NOREPLICATION CREATEDB PASSWORD 'changed-behind-its-back-1';
     ALTER ROLE drifter RESET default_transaction_read_only; CREATE ROLE team; GRANT team TO drifter`,
  );
  const { changes, outputs } = await plan(inputs("drifter"), state);
  expect(changes).toEqual([
    "Role drifter gets back REPLICATION, NOCREATEDB.",
    "Role drifter becomes read-only by default again.",
    "Role drifter is no longer a member of team.",
    expect.stringMatching(/^Role drifter gets a new password: the consumer cannot log in again before/),
  ]);
  expect(outputs).not.toHaveProperty("password");
  await runSql(db.superuserUri, "REVOKE team FROM drifter; DROP ROLE team");
});

test("says when passwordVersion replaces the password", async () => {
  const state = await make(inputs("rotating"));
  const { changes } = await plan(inputs("rotating", { passwordVersion: 2 }), state);
  expect(changes).toEqual([expect.stringMatching(/^Role rotating gets a new password/)]);
});

test("says that a role of this name and mark, which is in no state, is taken over", async () => {
  const { ownershipId } = await make(inputs("again"));
  const { changes, outputs } = await plan(inputs("again"));
  expect(changes).toEqual([
    expect.stringMatching(/^Role again exists with this trail's mark and is taken over: an up that was interrupted or/),
    expect.stringMatching(/^Role again gets a new password/),
  ]);
  expect(outputs).toMatchObject({ ownershipId, created: true });
});

test("keeps a role through a rename of stack and component, and drops it under the new name", async () => {
  const state = await make(inputs("renamed"));
  const named = inputs("renamed", { managedBy: "store/production/audit-role" });
  expect((await replicationRole.read({ ...state, ...named }, newProcess()))?.drift).toEqual({});
  expect((await plan(named, state)).changes).toEqual([
    "The ownership mark on role renamed is written again.",
  ]);
  const outputs = await replicationRole.update(state, named, newProcess());
  expect(outputs).toMatchObject({ password: state.password, ownershipId: state.ownershipId });
  await replicationRole.delete({ ...named, ...outputs }, newProcess());
  expect(await runSql(db.superuserUri, "SELECT FROM pg_roles WHERE rolname = 'renamed'")).toEqual([]);
});

describe("refuses in a preview what an up refuses", () => {
  test.each([
    ["exists", "CREATE ROLE exists LOGIN REPLICATION", {}, /exists already.*adopt: true/],
    ["weak", "CREATE ROLE weak LOGIN", { adopt: true }, /lacks REPLICATION/],
  ])("a role that %s", async (name, sql, more, message) => {
    await runSql(db.ownerUri, sql);
    expect(await refusal(plan(inputs(name, more)))).toMatch(message);
    expect(await refusal(replicationRole.create(inputs(name, more), newProcess()))).toMatch(message);
  });

  test("a role that our role may not alter", async () => {
    await runSql(db.superuserUri, "CREATE ROLE theirs LOGIN REPLICATION");
    const adopting = inputs("theirs", { adopt: true });
    expect(await refusal(plan(adopting))).toMatch(/permission denied to alter role.*WITH ADMIN OPTION/);
  });

  test("the role of another live trail, although adopt is set", async () => {
    const theirs = await make(inputs("shared", { managedBy: "shop/production/orders" }));
    const adopting = inputs("shared", { adopt: true });
    const message = /Role "shared" exists already and was made by shop\/production\/orders .*not adopted/;
    expect(await refusal(plan(adopting))).toMatch(message);
    expect(await refusal(replicationRole.create(adopting, newProcess()))).toMatch(message);
    expect((await replicationRole.read(theirs, newProcess()))?.drift).toEqual({});
  });

  test("a second role of the same name in one preview", async () => {
    const run = newProcess();
    await replicationRole.plan(inputs("twice"), run);
    const other = inputs("twice", { managedBy: "shop/dev/returns" });
    expect(await refusal(replicationRole.plan(other, run))).toMatch(/was made by shop\/dev\/orders/);
  });
});

describe("an import", () => {
  test("takes over a role made by hand, with a new password, which the preview says", async () => {
    await runSql(db.ownerUri, "CREATE ROLE byhand LOGIN REPLICATION PASSWORD 'by-hand-password-1'");
    const found = await replicationRole.find?.("cool-darkness-123456/main/neondb/byhand", newProcess());
    expect(found?.inputs).toEqual({ ...TARGET, name: "byhand", adopt: true });
    const wanted = inputs("byhand", { adopt: true });
    const state: State = { ...wanted, ...found?.outputs };
    const observed = await replicationRole.read(state, newProcess());
    expect(observed?.drift).toHaveProperty("passwordChanged");

    const imported = { ...state, ...observed?.outputs };
    expect((await plan(wanted, imported)).changes).toEqual([
      "Role byhand exists already and is taken over. It stays on destroy.",
      expect.stringMatching(/^Role byhand gets a new password/),
    ]);
    const outputs = await replicationRole.update(imported, wanted, newProcess());
    expect(outputs.created).toBe(false);
    const after = { ...wanted, ...outputs };
    expect((await replicationRole.read(after, newProcess()))?.drift).toEqual({});
    expect((await plan(wanted, after)).changes).toEqual([]);
  });

  test("leaves the role of another live trail alone", async () => {
    const mark = { ...TARGET, branchId: "br-cool-sea-123456", managedBy: "shop/production/orders", id: "0a" };
    await runSql(
      db.ownerUri,
      `CREATE ROLE alive LOGIN REPLICATION; COMMENT ON ROLE alive IS '${encodeMark(mark)}'`,
    );
    const found = await replicationRole.find?.("cool-darkness-123456/main/neondb/alive", newProcess());
    const state: State = { ...inputs("alive", { adopt: true }), password: "", ...found?.outputs };
    expect(await refusal(plan(state, state))).toMatch(/not adopted from another trail/);
  });

  test("finds no role of another name, and shows the form of the id", async () => {
    const find = (id: string) => replicationRole.find?.(id, newProcess()) ?? Promise.resolve(undefined);
    expect(await find("cool-darkness-123456/preview/pr-7/neondb/nobody")).toBeUndefined();
    expect(await refusal(find("nobody"))).toMatch(
      /does not name a ReplicationRole to import\. Write PROJECT\/BRANCH\/DATABASE\/NAME/,
    );
  });
});
