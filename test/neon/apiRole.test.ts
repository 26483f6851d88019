import type { ApiRoleInputs } from "../../provider/contract/inputs";
import { apiRole } from "../../provider/neon";
import { redact } from "../../provider/contract/secrets";
import { connect, startBench, type Bench } from "../sandbox/neon/harness";
import { expectCareful } from "../support/requestLog";
import { refusal } from "../support/refusal";
import { Resource } from "../support/resource";
import { liveRun } from "../support/run";
import { fastClock } from "./clocks";

test("the preview says that a role of the API writes, bypasses row security and costs a reconnect", () => {
  expect(apiRole.notice?.({ projectId: "p", database: "d", name: "bemi", adopt: false })).toMatch(
    /Role bemi .* can write all tables and bypass row security; .*drops the connections .* once/,
  );
});

describe.each([17, 14] as const)("on PostgreSQL %i", (pgVersion) => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await startBench({ pgVersion, pace: 20 });
  });
  afterAll(async () => {
    const log = bench.log();
    await bench.close();
    expectCareful(log);
  });

  function newOne() {
    const { apiUrl, apiKey } = bench.emulator;
    const { sslRootCert } = bench.compute;
    return new Resource(apiRole, () => liveRun({ apiUrl, apiKey, sslRootCert, clock: fastClock(20) }));
  }

  function inputs(name: string, changes: Partial<ApiRoleInputs> = {}): ApiRoleInputs {
    const { projectId, database } = bench.emulator;
    return { projectId, database, name, adopt: false, ...changes };
  }

  /** How the state says to connect. */
  function uriOf(role: ReturnType<typeof newOne>, password = role.state?.password ?? ""): string {
    const { host = "", port, username } = role.state ?? {};
    return `postgresql://${username}:${encodeURIComponent(password)}@${host}:${port}/neondb`;
  }

  async function mutations(work: () => Promise<unknown>): Promise<string[]> {
    const before = bench.log().length;
    await work();
    const calls = bench.log().slice(before);
    return calls.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`);
  }

  test("is made, logs in, is left alone by an up without changes, and goes", async () => {
    const role = newOne();
    await role.up(inputs("bemi"));
    const client = await connect(bench, uriOf(role));
    const attributes = await client.query(
      "SELECT rolreplication, rolbypassrls, rolcreaterole, pg_has_role('neon_superuser', 'member') AS member FROM pg_roles WHERE rolname = current_user",
    );
    expect(attributes.rows).toEqual([
      { rolreplication: true, rolbypassrls: true, rolcreaterole: true, member: true },
    ]);
    await client.end();
    const { password = "" } = role.state ?? {};
    expect(redact(`its password is ${password}`)).not.toContain(password);

    expect(await mutations(() => role.up(inputs("bemi")))).toEqual([]);
    expect(role.state).toMatchObject({ password, created: true });

    await role.destroy();
    expect((await bench.api("GET", `${bench.branch}/roles/bemi`)).status).toBe(404);
  });

  test("gets a new password when its passwordVersion changes, and only then; the old one is refused", async () => {
    const role = newOne();
    await role.up(inputs("rotating", { passwordVersion: 1 }));
    const { password: old = "" } = role.state ?? {};
    expect(await mutations(() => role.up(inputs("rotating", { passwordVersion: 1 })))).toEqual([]);
    await role.up(inputs("rotating", { passwordVersion: 2 }));
    expect(role.state?.password).not.toBe(old);
    await (await connect(bench, uriOf(role))).end();
    await expect(connect(bench, uriOf(role, old))).rejects.toThrow(/password/);
    await role.destroy();
  });

  test("drops the clients of an active compute once when it is made, and they come back", async () => {
    const client = await connect(bench, bench.emulator.ownerUri());
    const role = newOne();
    await role.up(inputs("disturbing"));
    await expect(client.query("SELECT 1")).rejects.toThrow();
    await client.end().catch(() => undefined);
    await (await connect(bench, bench.emulator.ownerUri())).end();
    await role.destroy();
  });

  test("that exists already is taken over only when told, and then survives", async () => {
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "theirs" } });
    const role = newOne();
    expect(await refusal(role.up(inputs("theirs")))).toMatch(
      /Role theirs .* exists already: set adopt: true/,
    );
    await role.up(inputs("theirs", { adopt: true }));
    expect(role.state).toMatchObject({ created: false, username: "theirs" });
    await (await connect(bench, uriOf(role))).end();
    expect(await role.destroy()).toEqual(["Role theirs was not made by this stack, so it stays"]);
    expect((await bench.api("GET", `${bench.branch}/roles/theirs`)).status).toBe(200);
  });

  test("that somebody makes in the same moment is a 409, which is not mistaken for ours", async () => {
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "raced" } });
    const route = "/projects/{project_id}/branches/{branch_id}/roles/{role_name}";
    const fault = { kind: "answer", status: 404 };
    const race = () => {
      bench.emulator.setFaults({ faults: [{ method: "GET", route, fault }] });
    };
    const role = newOne();
    race();
    expect(await refusal(role.up(inputs("raced")))).toMatch(/Role raced .* exists already: set adopt: true/);
    race();
    await role.up(inputs("raced", { adopt: true }));
    expect(role.state).toMatchObject({ created: false });
  });

  test("that cannot log in is not taken over", async () => {
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "group", no_login: true } });
    expect(await refusal(newOne().up(inputs("group", { adopt: true })))).toMatch(
      /has no password to log in with/,
    );
  });

  test("that was deleted behind our back is made again, and deleting what is gone is fine, by 204 and by 404", async () => {
    const role = newOne();
    await role.up(inputs("fleeting"));
    await bench.done("DELETE", `${bench.branch}/roles/fleeting`);
    await role.refresh();
    expect(role.state).toBeUndefined();

    await role.up(inputs("fleeting"));
    const { state } = role;
    await bench.done("DELETE", `${bench.branch}/roles/fleeting`);
    await role.destroy();
    expect(bench.log().at(-1)).toMatchObject({ method: "DELETE", status: 204 });
    role.state = state;
    const route = "/projects/{project_id}/branches/{branch_id}/roles/{role_name}";
    bench.emulator.setFaults({
      faults: [{ method: "DELETE", route, fault: { kind: "answer", status: 404 } }],
    });
    await role.destroy();
    expect(role.state).toBeUndefined();
  });

  test("that owns a database is not deleted, and not taken for gone; when that is cleared, it goes", async () => {
    const role = newOne();
    await role.up(inputs("landlord"));
    const wanted = { database: { name: "owned", owner_name: "landlord" } };
    await bench.done("POST", `${bench.branch}/databases`, wanted);
    expect(await refusal(role.destroy())).toMatch(
      /422 .*owned.* The role was not deleted: it may own a database/,
    );
    expect(role.state).toMatchObject({ username: "landlord" });
    await bench.done("DELETE", `${bench.branch}/databases/owned`);
    await role.destroy();
    expect((await bench.api("GET", `${bench.branch}/roles/landlord`)).status).toBe(404);
  });

  test("leaves to the database's owner what it owned: its publication survives", async () => {
    const role = newOne();
    await role.up(inputs("publisher"));
    const client = await connect(bench, uriOf(role));
    await client.query("CREATE PUBLICATION left_behind");
    await client.end();
    await role.destroy();
    const owner = await bench.compute.sql(
      bench.emulator.branchId,
      "SELECT pg_get_userbyid(pubowner) AS owner FROM pg_publication WHERE pubname = 'left_behind'",
      [],
      "neondb",
    );
    expect(owner).toEqual([{ owner: "neondb_owner" }]);
  });

  test("whose creation could not be seen to its end is remembered, and finished by the next up", async () => {
    const routes = ["operations/{operation_id}", "branches/{branch_id}/roles/{role_name}/reveal_password"];
    bench.emulator.setFaults({
      faults: routes.map((route) => ({
        method: "GET",
        route: `/projects/{project_id}/${route}`,
        times: 1_000,
        fault: { kind: "answer", status: 403 },
      })),
    });
    const role = newOne();
    expect(await refusal(role.up(inputs("unseen")))).toMatch(/403 to GET .*\/operations\//);
    expect(role.state).toMatchObject({ created: true, password: undefined });
    bench.emulator.setFaults({ faults: [] });
    await bench.emulator.settled();
    await role.up(inputs("unseen"));
    await (await connect(bench, uriOf(role))).end();
    await role.destroy();
  });
});
