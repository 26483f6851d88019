import { setTimeout as sleep } from "node:timers/promises";
import type { ApiRoleInputs } from "../../../provider/contract/kinds/apiRole";
import { apiRole } from "../../../provider/neon";
import { UserError } from "../../../provider/contract/errors";
import { redact } from "../../../provider/contract/secrets";
import { connect, startBench, type Bench } from "../../sandbox/neon/harness";
import { expectCareful } from "../../support/requestLog";
import { refusal } from "../../support/refusal";
import { Resource } from "../../support/resource";
import { liveRun } from "../../support/run";
import { fastClock } from "../clocks";

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

  /** The URI of a connection according to the state. */
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

  test("says in a preview what the role may do, and that connections drop once, and makes nothing", async () => {
    const role = newOne();
    let lines: readonly string[] = [];
    expect(
      await mutations(async () => {
        lines = await role.preview(inputs("bemi"));
      }),
    ).toEqual([]);
    expect(lines).toEqual([
      expect.stringMatching(
        /^Role bemi .* can write all tables and bypass row security; .*drops the connections of branch main once\.$/,
      ),
    ]);
    expect((await bench.api("GET", `${bench.branch}/roles/bemi`)).status).toBe(404);
  });

  test("taken over on a branch of the program's own gets another password, once, and stays on destroy", async () => {
    const { password: copied } = (
      await bench.done("POST", `${bench.branch}/roles`, { role: { name: "copied" } })
    ).body.role;
    const role = newOne();
    const wanted = inputs("copied", { adopt: true, renewPassword: true });
    await role.up(wanted);
    const { password } = role.state ?? {};
    expect(role.state).toMatchObject({ created: false });
    expect(password).not.toBe(copied);
    await (await connect(bench, uriOf(role))).end();
    expect(await mutations(() => role.up(wanted))).toEqual([]);
    expect(role.state).toMatchObject({ password });
    await role.destroy();
    await bench.done("DELETE", `${bench.branch}/roles/copied`);
  });

  test("creates a role that can log in, keeps it on up, and deletes it on destroy", async () => {
    const role = newOne();
    await role.up(inputs("bemi"));
    expect(await role.preview(inputs("bemi"))).toEqual([]);
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

  test("sets a new password when passwordVersion changes, and only then", async () => {
    const role = newOne();
    await role.up(inputs("rotating", { passwordVersion: 1 }));
    const { password: old = "" } = role.state ?? {};
    expect(await mutations(() => role.up(inputs("rotating", { passwordVersion: 1 })))).toEqual([]);
    const rotates = () => role.preview(inputs("rotating", { passwordVersion: 2 }));
    expect(await mutations(rotates)).toEqual([]);
    expect(await rotates()).toEqual([expect.stringMatching(/gets a new password, which drops .* once/)]);
    await role.up(inputs("rotating", { passwordVersion: 2 }));
    expect(role.state?.password).not.toBe(old);
    await (await connect(bench, uriOf(role))).end();
    await expect(connect(bench, uriOf(role, old))).rejects.toThrow(/password/);
    await role.destroy();
  });

  test("shows a password that somebody has set in Neon, and takes it over", async () => {
    const role = newOne();
    await role.up(inputs("reset"));
    const { password: old } = role.state ?? {};
    await bench.done("POST", `${bench.branch}/roles/reset/reset_password`);
    await role.refresh();
    expect(role.drift).toEqual({ passwordChanged: expect.stringContaining("another password") as string });
    expect(role.state).toMatchObject({ password: old });
    expect(await role.preview(inputs("reset"))).toEqual([
      expect.stringMatching(/^The stack takes over the password that role reset has got in Neon/),
    ]);
    expect(await mutations(() => role.up(inputs("reset")))).toEqual([]);
    expect(role.state?.password).not.toBe(old);
    await (await connect(bench, uriOf(role))).end();
    await role.refresh();
    expect(role.drift).toEqual({});
    await role.destroy();
    expect((await bench.api("GET", `${bench.branch}/roles/reset`)).status).toBe(404);
  });

  test("does not take over a role that somebody has made again, unless adopt is set; then it stays", async () => {
    const role = newOne();
    await role.up(inputs("again"));
    await bench.done("DELETE", `${bench.branch}/roles/again`);
    // Neon gives the time of creation in seconds.
    await sleep(1_100);
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "again" } });
    await role.refresh();
    expect(role.drift).toEqual({ passwordChanged: expect.stringContaining("made the role again") as string });
    expect(await refusal(role.preview(inputs("again")))).toMatch(/Role again .* exists already: set adopt/);
    expect(await refusal(role.up(inputs("again")))).toMatch(/Role again .* exists already: set adopt/);
    await role.up(inputs("again", { adopt: true }));
    await (await connect(bench, uriOf(role))).end();
    await role.destroy();
    expect((await bench.api("GET", `${bench.branch}/roles/again`)).status).toBe(200);
    await bench.done("DELETE", `${bench.branch}/roles/again`);
  });

  test("reports no change where Neon does not tell passwords", async () => {
    const role = newOne();
    await role.up(inputs("untold"));
    await bench.done("POST", `${bench.branch}/roles/untold/reset_password`);
    const route = "/projects/{project_id}/branches/{branch_id}/roles/{role_name}/reveal_password";
    bench.emulator.setFaults({
      faults: [{ method: "GET", route, times: 1_000, fault: { kind: "answer", status: 412 } }],
    });
    await role.refresh();
    expect(role.drift).toEqual({});
    bench.emulator.setFaults({ faults: [] });
    await role.destroy();
  });

  test("drops the connections of an active compute once; clients can connect again", async () => {
    const client = await connect(bench, bench.emulator.ownerUri());
    const role = newOne();
    await role.up(inputs("disturbing"));
    await expect(client.query("SELECT 1")).rejects.toThrow();
    await client.end().catch(() => undefined);
    await (await connect(bench, bench.emulator.ownerUri())).end();
    await role.destroy();
  });

  test("adopts an existing role only if adopt is set, and leaves it in place on destroy", async () => {
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "existing" } });
    const role = newOne();
    const exists = /Role existing .* exists already: set adopt: true/;
    expect(await refusal(role.preview(inputs("existing")))).toMatch(exists);
    expect(await refusal(role.up(inputs("existing")))).toMatch(exists);
    expect(await role.preview(inputs("existing", { adopt: true }))).toEqual([
      "Role existing exists already and is used as it is, with its password; it stays on destroy.",
    ]);
    await role.up(inputs("existing", { adopt: true }));
    expect(role.state).toMatchObject({ created: false, username: "existing" });
    await (await connect(bench, uriOf(role))).end();
    expect(await role.destroy()).toEqual(["Role existing was not made by this stack, so it stays"]);
    expect((await bench.api("GET", `${bench.branch}/roles/existing`)).status).toBe(200);
  });

  test("does not mistake a role that somebody makes at the same moment (409) for its own", async () => {
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

  test("refuses to adopt a role that cannot log in", async () => {
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "group", no_login: true } });
    const group = inputs("group", { adopt: true });
    expect(await refusal(newOne().preview(group))).toMatch(/has no password to log in with/);
    expect(await refusal(newOne().up(group))).toMatch(/has no password to log in with/);
  });

  test("creates a deleted role again, and can destroy one that is gone, also at the last moment", async () => {
    const role = newOne();
    await role.up(inputs("fleeting"));
    await bench.done("DELETE", `${bench.branch}/roles/fleeting`);
    await role.refresh();
    expect(role.state).toBeUndefined();

    await role.up(inputs("fleeting"));
    const { state } = role;
    await bench.done("DELETE", `${bench.branch}/roles/fleeting`);
    await role.destroy();
    // A role is looked at before it is deleted: one of the name may be another role.
    expect(bench.log().at(-1)).toMatchObject({ method: "GET", status: 404 });

    role.state = state;
    // Neon gives the time of creation in seconds.
    await sleep(1_100);
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "fleeting" } });
    expect(await refusal(role.destroy())).toMatch(/fleeting .* is not deleted: it was made at another time/);
    expect(role.state).toBeDefined();
    await bench.done("DELETE", `${bench.branch}/roles/fleeting`);

    role.state = undefined;
    await role.up(inputs("fleeting"));
    const route = "/projects/{project_id}/branches/{branch_id}/roles/{role_name}";
    bench.emulator.setFaults({
      faults: [{ method: "DELETE", route, fault: { kind: "answer", status: 404 } }],
    });
    await role.destroy();
    expect(role.state).toBeUndefined();
    await bench.done("DELETE", `${bench.branch}/roles/fleeting`);
  });

  test("deletes a role whose database was dropped, also when a refresh has seen that", async () => {
    const wanted = { database: { name: "brief", owner_name: "neondb_owner" } };
    await bench.done("POST", `${bench.branch}/databases`, wanted);
    const role = newOne();
    await role.up(inputs("outliving", { database: "brief" }));
    // This refresh records the oid of the database; the update after it must not lose it.
    await role.up(inputs("outliving", { database: "brief", passwordVersion: 2 }));
    await bench.done("DELETE", `${bench.branch}/databases/brief`);
    await role.refresh();
    expect(role.drift).toEqual({ databaseGone: '"brief"' });
    await role.destroy();
    expect((await bench.api("GET", `${bench.branch}/roles/outliving`)).status).toBe(404);
  });

  test("refuses to delete a role that owns a database, and deletes it after that", async () => {
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

  test("leaves the publication of a deleted role to the database's owner", async () => {
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

  test("keeps a role in the state whose creation was interrupted; the next up completes it", async () => {
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

  test("keeps a role as its own whose creation was cancelled after the request, and deletes it", async () => {
    const { apiUrl, apiKey } = bench.emulator;
    const { sslRootCert } = bench.compute;
    const before = bench.log().length;
    const cancels = (): void => {
      if (bench.log().slice(before).at(-1)?.method === "POST") throw new UserError("Cancelled.");
    };
    const role = new Resource(apiRole, () =>
      liveRun({ apiUrl, apiKey, sslRootCert, clock: fastClock(20), checkpoint: cancels }),
    );
    expect(await refusal(role.up(inputs("cancelled")))).toBe("Cancelled.");
    expect(role.state).toMatchObject({ created: true });
    await bench.emulator.settled();
    await role.up(inputs("cancelled"));
    await (await connect(bench, uriOf(role))).end();
    await role.destroy();
    expect((await bench.api("GET", `${bench.branch}/roles/cancelled`)).status).toBe(404);
  });

  test("is planned once: a second resource of this name is refused in the same preview", async () => {
    const { apiUrl, apiKey } = bench.emulator;
    const run = liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert, clock: fastClock(20) });
    const { outputs } = await apiRole.plan(inputs("twice"), run);
    expect(outputs).toMatchObject({ username: "twice", created: true, branchName: "main" });
    expect(outputs).not.toHaveProperty("password");
    expect(await refusal(apiRole.plan(inputs("twice"), run))).toMatch(/Role twice .* exists already/);
    await run.end();
  });

  test("is imported by project, branch, database and name, and keeps its password", async () => {
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "imported" } });
    const { projectId, apiUrl, apiKey } = bench.emulator;
    const run = liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert, clock: fastClock(20) });
    const found = await apiRole.find?.(`${projectId}/main/neondb/imported`, run);
    const target = { projectId, branch: "main", database: "neondb" };
    expect(found?.inputs).toEqual({ ...target, name: "imported", adopt: true });
    const state = { ...inputs("imported", { ...target, adopt: true }), ...found?.outputs };
    const password = (await bench.api("GET", `${bench.branch}/roles/imported/reveal_password`)).body.password;
    expect((await apiRole.read(state, run))?.outputs).toMatchObject({ password, created: false });
    expect(await apiRole.find?.(`${projectId}/main/neondb/nobody`, run)).toBeUndefined();
    expect(await refusal(apiRole.find?.(`${projectId}/main/imported`, run) ?? Promise.resolve())).toMatch(
      /does not name an ApiRole to import\. Write PROJECT\/BRANCH\/DATABASE\/NAME/,
    );
    await run.end();
  });
});
