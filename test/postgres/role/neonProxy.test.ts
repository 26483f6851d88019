import type { CommitFault } from "../../../sandbox/compute";
import type { ReplicationRoleInputs } from "../../../provider/contract/kinds/replicationRole";
import { replicationRole } from "../../../provider/postgres/role/replicationRole";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, type TestRun } from "../../support/run";

/*
 * What stands between the provider and PostgreSQL on Neon: the proxy, which answers logins, and the control plane, which
 * takes part in the commit of every statement about a role.
 */

let db: TestDatabase;
/** What the proxy answers to a login of role `bemi`; `undefined` lets it pass. */
let answer: () => string | undefined = () => undefined;
/** What happens at the next commits of statements about roles. */
let commits: CommitFault[] = [];
const runs: TestRun[] = [];

const REFUSED = {
  delayMs: 0,
  error: 'Received HTTP code 400 from control plane: {"error":"password is too weak"}',
};
const FAILED = {
  delayMs: 0,
  error: 'Received HTTP code 500 from control plane: {"error":"internal server error"}',
};
const LATE = {
  delayMs: 50,
  error: "Failed to perform curl request: Operation timed out after 50 milliseconds with 0 bytes received",
};

beforeAll(async () => {
  db = await testDatabase({
    profile: "neon",
    refuseLogin: (role) => (role === "bemi" ? answer() : undefined),
    roleFault: () => commits.shift(),
  });
});
afterEach(async () => {
  [answer, commits] = [() => undefined, []];
  await Promise.all(runs.splice(0).map((run) => run.end()));
  await runSql(
    db.superuserUri,
    "DO $$ BEGIN DROP OWNED BY bemi; EXCEPTION WHEN undefined_object THEN END $$",
  );
  await runSql(db.superuserUri, "DROP ROLE IF EXISTS bemi");
});
afterAll(() => db.close());

/** Every call is another plugin process. */
function newProcess(): TestRun {
  const run = testRun(db);
  runs.push(run);
  return run;
}

function inputs(more: Partial<ReplicationRoleInputs> = {}): ReplicationRoleInputs {
  return { ...TARGET, name: "bemi", adopt: false, managedBy: "shop/dev/orders", ...more };
}

/** The proxy's answers to the next logins, one after the other. */
function answers(...texts: string[]): () => string | undefined {
  return () => texts.shift();
}

async function exists(): Promise<boolean> {
  return (await runSql(db.superuserUri, "SELECT FROM pg_roles WHERE rolname = 'bemi'")).length > 0;
}

describe("the proxy", () => {
  test("is waited for while the compute starts and while no connection is free", async () => {
    answer = answers("the database system is starting up", 'too many connections for role "bemi"');
    const outputs = await replicationRole.create(inputs(), newProcess());
    expect(answer()).toBeUndefined();
    expect((await replicationRole.read({ ...inputs(), ...outputs }, newProcess()))?.drift).toEqual({});
  });

  test("knows the old password for 5 s more, and the new one is waited for", async () => {
    const state = { ...inputs(), ...(await replicationRole.create(inputs(), newProcess())) };
    let known: number | undefined;
    answer = () => {
      known ??= Date.now() + 5_000;
      return Date.now() < known ? "password authentication failed for user 'bemi'" : undefined;
    };
    const rotated = await replicationRole.update(state, inputs({ passwordVersion: 2 }), newProcess());
    expect(rotated.password).not.toBe(state.password);
    expect((await replicationRole.read({ ...state, ...rotated }, newProcess()))?.drift).toEqual({});
  });

  test("refuses the address: up says so, and the next up goes on with the role", async () => {
    answer = () => "This IP address 127.0.0.1 is not allowed to connect to this endpoint. Please add it.";
    await expect(replicationRole.create(inputs(), newProcess())).rejects.toThrow(
      /refused this machine's address: .* Add the address of the machine that runs Pulumi to the project's IP Allow list/,
    );
    answer = () => undefined;
    expect(await replicationRole.create(inputs(), newProcess())).toMatchObject({ created: true });
  });
});

describe("the control plane", () => {
  test("fails once: the same is tried again, also when the role is dropped", async () => {
    commits = [FAILED];
    const run = newProcess();
    const state = { ...inputs(), ...(await replicationRole.create(inputs(), run)) };
    expect(run.lines).toEqual([
      expect.stringMatching(
        /^Neon's control plane failed at creating role "bemi" .*500.* Trying once more\.$/,
      ),
    ]);
    commits = [LATE, { delayMs: 0 }, FAILED];
    await replicationRole.delete(state, newProcess());
    expect(commits).toEqual([]);
    expect(await exists()).toBe(false);
  });

  test("does not answer twice: nothing is left, and the error says what may turn up", async () => {
    commits = [LATE, LATE];
    await expect(replicationRole.create(inputs(), newProcess())).rejects.toThrow(
      /^Neon's control plane did not answer at creating role "bemi".*timed out.*Run again\..*delete it there first/,
    );
    expect(await exists()).toBe(false);
    expect(await replicationRole.create(inputs(), newProcess())).toMatchObject({ created: true });
  });

  test("refuses: its reason is told, and it is not asked again", async () => {
    commits = [REFUSED, FAILED];
    await expect(replicationRole.create(inputs(), newProcess())).rejects.toThrow(
      /^Neon's control plane refused creating role "bemi".*password is too weak/,
    );
    expect(commits).toEqual([FAILED]);
    expect(await exists()).toBe(false);
  });

  test("is slow: the commit is waited for", async () => {
    commits = [{ delayMs: 2_500 }];
    expect(await replicationRole.create(inputs(), newProcess())).toMatchObject({ created: true });
  });

  test("has made a role that SQL cannot touch: preview and up say how to get rid of it", async () => {
    await runSql(
      db.superuserUri,
      "CREATE ROLE bemi LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS IN ROLE neon_superuser",
    );
    const words =
      /"bemi" exists already and was made by Neon.*delete it in Neon's console.*ApiRole and adopt/;
    await expect(replicationRole.plan(inputs(), newProcess())).rejects.toThrow(words);
    await expect(replicationRole.create(inputs(), newProcess())).rejects.toThrow(words);
    const adopting = inputs({ adopt: true });
    const refused = /permission denied to alter role\. It was made through Neon's API or console/;
    await expect(replicationRole.plan(adopting, newProcess())).rejects.toThrow(refused);
    await expect(replicationRole.create(adopting, newProcess())).rejects.toThrow(refused);
    // What deleting it in Neon comes to.
    await runSql(db.superuserUri, "DROP ROLE bemi");
    expect(await replicationRole.create(inputs(), newProcess())).toMatchObject({ created: true });
  });
});
