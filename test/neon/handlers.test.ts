import type { IpAllowInputs } from "../../provider/inputs";
import { apiRole, logicalReplication } from "../../provider/neon";
import { ipAllowKind } from "../../provider/neon/ipAllow";
import { redact } from "../../provider/secrets";
import { connect, startBench, type Bench } from "../sandbox/neon/harness";
import { liveRun, refusal, Resource, type LiveRun } from "../support/run";
import { fastClock } from "./clocks";

let bench: Bench;
let target: { projectId: string; database: string };
beforeAll(async () => {
  bench = await startBench();
  const { projectId, database } = bench.emulator;
  target = { projectId, database };
});
afterAll(() => bench.close());

function newRun(apiKey = bench.emulator.apiKey): LiveRun {
  return liveRun({ apiUrl: bench.emulator.apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert });
}

/** The calls that the work made. */
async function callsOf(work: () => Promise<unknown>): Promise<string[]> {
  const before = bench.log().length;
  await work();
  return bench
    .log()
    .slice(before)
    .map(({ method, path }) => `${method} ${path}`)
    .filter((call) => !call.includes("/operations/"));
}

// In this order: the setting cannot be turned off again.
describe("LogicalReplication", () => {
  const inputs = () => ({ ...target, mode: "enable" as const });
  const setting = new Resource(logicalReplication, () => newRun());

  test("is not turned on where it is required only", async () => {
    const work = () =>
      refusal(new Resource(logicalReplication, () => newRun()).up({ ...inputs(), mode: "require" }));
    expect(await work()).toMatch(/is off .*"require" leaves the project alone.*all computes restart/);
    expect((await callsOf(work)).filter((call) => !call.startsWith("GET"))).toEqual([]);
  });

  test.each([
    [{ database: "nodb" }, /no database "nodb"/],
    [{ branch: "nobranch" }, /no branch "nobranch"/],
  ])("is not turned on for a target that does not exist: %j", async (wrong, message) => {
    expect(await refusal(setting.up({ ...inputs(), ...wrong }))).toMatch(message);
    expect((await bench.api("GET", bench.project)).body.project.settings?.enable_logical_replication).toBe(
      false,
    );
  });

  test("is turned on by one PATCH, under a client that queries all the time", async () => {
    let drops = 0;
    let answers = 0;
    const ending = new AbortController();
    const ended = (): boolean => ending.signal.aborted;
    const client = (async () => {
      while (!ended()) {
        try {
          const connection = await connect(bench, bench.emulator.ownerUri());
          try {
            while (!ended()) {
              await connection.query("SELECT 1");
              answers++;
            }
          } finally {
            await connection.end();
          }
        } catch {
          drops++;
        }
      }
    })();
    let lines: string[] = [];
    const calls = await callsOf(async () => {
      lines = await setting.up(inputs());
    });
    const before = answers;
    while (answers === before) await new Promise(setImmediate);
    ending.abort();
    await client;
    expect(drops).toBeGreaterThan(0);
    expect(setting.state).toMatchObject({
      walLevel: "logical",
      enabledHere: true,
      branchId: bench.emulator.branchId,
    });
    expect(lines[0]).toMatch(/all of its computes restart .* cannot turn it off again/);
    expect(lines.at(-1)).toMatch(/is on and verified, after [\d.]+ s$/);
    expect(calls.filter((call) => call.startsWith("PATCH"))).toEqual([`PATCH ${bench.project}`]);
    expect(calls.length).toBeLessThanOrEqual(7);
  });

  test("is left alone where it is on, and by a destroy", async () => {
    const calls = await callsOf(async () => {
      await setting.up(inputs());
      const another = new Resource(logicalReplication, () => newRun());
      await another.up({ ...inputs(), mode: "require" });
      expect(another.state).toMatchObject({ enabledHere: false });
      expect(await another.destroy()).toEqual([
        expect.stringContaining("stays on: Neon cannot turn it off again"),
      ]);
    });
    expect(setting.state).toMatchObject({ enabledHere: true });
    expect(calls.filter((call) => !call.startsWith("GET"))).toEqual([]);
  });

  test("is gone with its project", async () => {
    const gone = new Resource(logicalReplication, () => newRun());
    gone.state = { projectId: "no-such-project-1", mode: "enable", enabledHere: true };
    await gone.refresh();
    expect(gone.state).toBeUndefined();
  });
});

describe("ApiRole", () => {
  const inputs = (name: string) => ({ ...target, name, adopt: false });

  test("logs in, survives an up without changes, changes its password when told, and goes", async () => {
    const role = new Resource(apiRole, () => newRun());
    const create = await callsOf(() => role.up(inputs("bemi")));
    expect(create.length).toBeLessThanOrEqual(6);
    const { password = "", host = "", port, username } = role.state ?? {};
    const uri = (secretWord: string) =>
      `postgresql://${username}:${encodeURIComponent(secretWord)}@${host}:${port}/neondb`;
    await (await connect(bench, uri(password))).end();
    expect(redact(`its password is ${password}`)).not.toContain(password);

    const again = await callsOf(() => role.up(inputs("bemi")));
    expect(again.filter((call) => !call.startsWith("GET"))).toEqual([]);
    expect(role.state?.password).toBe(password);

    await role.up({ ...inputs("bemi"), passwordVersion: 1 });
    expect(role.state?.password).not.toBe(password);
    await (await connect(bench, uri(role.state?.password ?? ""))).end();
    await expect(connect(bench, uri(password))).rejects.toThrow(/password/);

    const destroy = await callsOf(() => role.destroy());
    expect(destroy.length).toBeLessThanOrEqual(5);
    expect((await bench.api("GET", `${bench.branch}/roles/bemi`)).status).toBe(404);
  });

  test("that exists already is taken over only when told, and then survives", async () => {
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "theirs" } });
    const role = new Resource(apiRole, () => newRun());
    expect(await refusal(role.up(inputs("theirs")))).toMatch(
      /Role theirs .* exists already: set adopt: true/,
    );
    await role.up({ ...inputs("theirs"), adopt: true });
    expect(role.state).toMatchObject({ created: false, username: "theirs" });
    expect(await role.destroy()).toEqual(["Role theirs was not made by this stack, so it stays"]);
    expect((await bench.api("GET", `${bench.branch}/roles/theirs`)).status).toBe(200);
  });

  test("that cannot log in is not taken over", async () => {
    await bench.done("POST", `${bench.branch}/roles`, { role: { name: "group", no_login: true } });
    const role = new Resource(apiRole, () => newRun());
    expect(await refusal(role.up({ ...inputs("group"), adopt: true }))).toMatch(
      /has no password to log in with/,
    );
  });

  test("that was deleted behind our back is made again, and deleting it twice is fine", async () => {
    const role = new Resource(apiRole, () => newRun());
    await role.up(inputs("fleeting"));
    await bench.done("DELETE", `${bench.branch}/roles/fleeting`);
    await role.refresh();
    expect(role.state).toBeUndefined();
    await role.up(inputs("fleeting"));
    await bench.done("DELETE", `${bench.branch}/roles/fleeting`);
    await role.destroy();
  });
});

describe("IpAllow", () => {
  const clock = fastClock(30);
  const newOne = () => new Resource(ipAllowKind(clock), () => newRun());
  const inputs = (ips: string[], changes: Partial<IpAllowInputs> = {}): IpAllowInputs => ({
    projectId: target.projectId,
    ips,
    restrictOpenProject: false,
    openRestrictedProject: false,
    ...changes,
  });
  const list = async () => (await bench.api("GET", bench.project)).body.project.settings?.allowed_ips?.ips;
  const setList = (ips: string[], only = false) =>
    bench.done("PATCH", bench.project, {
      project: { settings: { allowed_ips: { ips, protected_branches_only: only } } },
    });

  beforeEach(() => setList([]));

  test("does not restrict an open project unless told, and then gives back an open one", async () => {
    const one = newOne();
    expect(await refusal(one.up(inputs(["203.0.113.7"])))).toMatch(
      /is empty, .* set restrictOpenProject: true/,
    );
    expect(await list()).toEqual([]);
    const lines = await one.up(inputs(["203.0.113.7"], { restrictOpenProject: true }));
    expect(lines).toEqual([
      expect.stringMatching(/only 203\.0\.113\.7 may connect .* not this machine either/),
    ]);
    expect(one.state).toMatchObject({ added: ["203.0.113.7"], wasOpen: true });
    expect(await one.destroy()).toEqual([expect.stringMatching(/becomes empty: every address may connect/)]);
    expect(await list()).toEqual([]);
  });

  test("does not open a project that others had restricted, unless told", async () => {
    await setList(["198.51.100.1"]);
    const one = newOne();
    await one.up(inputs(["203.0.113.7"]));
    await setList(["203.0.113.7"]);
    expect(await refusal(one.destroy())).toMatch(
      /would be open to every address .* openRestrictedProject: true/,
    );
    expect(await list()).toEqual(["203.0.113.7"]);
    await one.up(inputs(["203.0.113.7"], { openRestrictedProject: true }));
    await one.destroy();
    expect(await list()).toEqual([]);
  });

  test("does not let everybody in by an entry, unless told", async () => {
    await setList(["198.51.100.1"]);
    expect(await refusal(newOne().up(inputs(["0.0.0.0/0"])))).toMatch(/0\.0\.0\.0\/0 would open project/);
    expect(await list()).toEqual(["198.51.100.1"]);
  });

  test("follows changes of the program, and leaves what was there before us", async () => {
    await setList(["198.51.100.1", "203.0.113.7/32"]);
    const one = newOne();
    await one.up(inputs(["203.0.113.7", "203.0.113.8", "2001:DB8::1"]));
    expect(await list()).toEqual(["198.51.100.1", "203.0.113.7/32", "203.0.113.8", "2001:db8::1"]);
    expect(one.state).toMatchObject({ added: ["203.0.113.8", "2001:db8::1"] });
    await one.up(inputs(["203.0.113.8", "203.0.113.9"]));
    expect(await list()).toEqual(["198.51.100.1", "203.0.113.7/32", "203.0.113.8", "203.0.113.9"]);
    await one.destroy();
    expect(await list()).toEqual(["198.51.100.1", "203.0.113.7/32"]);
  });

  test("shows an entry that vanished as drift, and puts it back", async () => {
    await setList(["198.51.100.1"]);
    const one = newOne();
    await one.up(inputs(["203.0.113.7"]));
    await setList(["198.51.100.1"], true);
    const calls = await callsOf(() => one.refresh());
    expect(calls).toEqual([`GET ${bench.project}`]);
    expect(one.drift).toEqual({ "not on the IP Allow list": ["203.0.113.7"] });
    await one.up(inputs(["203.0.113.7"]));
    expect(await list()).toEqual(["198.51.100.1", "203.0.113.7"]);
    expect(
      (await bench.api("GET", bench.project)).body.project.settings?.allowed_ips?.protected_branches_only,
    ).toBe(true);
  });

  test("takes four requests to change the list (one looks beside the PATCH), and one to find nothing to do", async () => {
    await setList(["198.51.100.1"]);
    const one = newOne();
    const { project } = bench;
    const calls = await callsOf(() => one.up(inputs(["203.0.113.7"])));
    expect(calls.sort()).toEqual([`GET ${project}`, `GET ${project}`, `GET ${project}`, `PATCH ${project}`]);
    expect(await callsOf(() => newOne().up(inputs(["203.0.113.7"])))).toEqual([`GET ${project}`]);
  });

  test("says what a plan without the feature says", async () => {
    await setList(["198.51.100.1"]);
    bench.emulator.setFaults({
      faults: [
        {
          method: "PATCH",
          route: "/projects/{project_id}",
          fault: { kind: "answer", status: 400, message: "IP allow is not available on your plan" },
        },
      ],
    });
    expect(await refusal(newOne().up(inputs(["203.0.113.7"])))).toMatch(
      /400 .*IP allow is not available on your plan\. IP Allow needs Neon's Scale plan/,
    );
    bench.emulator.setFaults({ faults: [] });
  });

  test("names every bad entry in the preview", () => {
    const result = ipAllowKind(clock).inputs.safeParse(inputs(["nonsense", "203.0.113.7", "10.0.0.0/64"]));
    expect(result.error?.issues.map(({ message, path }) => `${path.join(".")}: ${message}`)).toEqual([
      'ips: "nonsense" is not an IPv4 or IPv6 address, a CIDR block or a range a-b',
      'ips: "10.0.0.0/64" has a prefix that is not 0 to 32',
    ]);
  });
});

describe("keys", () => {
  test("a wrong one, one that may only read, and one for the project", async () => {
    const role = (key: string) =>
      new Resource(apiRole, () => newRun(key)).up({ ...target, name: "keyed", adopt: false });
    expect(await refusal(role("wrong-key"))).toMatch(/401 .*missing, invalid or revoked/);
    expect(await refusal(role(bench.emulator.keys.readOnly))).toMatch(/403 .*key may not do this/);
    expect(await refusal(role(bench.emulator.keys.project))).toBeUndefined();
    await bench.done("DELETE", `${bench.branch}/roles/keyed`);
  });
});
