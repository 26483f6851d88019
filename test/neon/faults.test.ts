import { apiRole } from "../../provider/neon";
import { systemClock } from "../../provider/neon/clock";
import { ipAllowKind } from "../../provider/neon/ipAllow";
import { logicalReplicationKind } from "../../provider/neon/logicalReplication";
import type { ApiRoleInputs, IpAllowInputs } from "../../provider/inputs";
import { startBench, type Bench } from "../sandbox/neon/harness";
import { liveRun, refusal, Resource, type LiveRun } from "../support/run";
import { fastClock } from "./clocks";

/** Neon's seconds pass in milliseconds, but the sandbox's servers take their time, most of all to restart. */
const fast = fastClock(150);
const slower = fastClock(60);

const PROJECT = "/projects/{project_id}";
const ROLES = `${PROJECT}/branches/{branch_id}/roles`;
const ROLE = `${ROLES}/{role_name}`;
const FOREIGN = "198.51.100.1";
const ENTRY = "203.0.113.7";

const FAULTS: Record<string, { fault: object; times?: number; forMs?: number }> = {
  "423 for a minute": { fault: { kind: "answer", status: 423 }, forMs: 1_500 },
  "429 with Retry-After": { fault: { kind: "answer", status: 429, retryAfter: { seconds: 3 } }, times: 2 },
  "503": { fault: { kind: "answer", status: 503 }, times: 3 },
  "500 before": { fault: { kind: "answer", status: 500 } },
  "500 after success": { fault: { kind: "answer", status: 500, when: "after" } },
  "cut before": { fault: { kind: "cut", when: "before" } },
  "cut after success": { fault: { kind: "cut", when: "after" } },
  "operation failed": { fault: { kind: "operation", outcome: "failed" } },
  "operation in error": { fault: { kind: "operation", outcome: "error" } },
  "operation retried": { fault: { kind: "operation", outcome: "retried" } },
  "operation stuck": { fault: { kind: "operation", outcome: "stuck" } },
  "operation cancelled": { fault: { kind: "operation", outcome: "cancelled" } },
};

/** Those after which up may end in an error, in words; after all others it succeeds. */
const MAY_FAIL = /operation (failed|in error|stuck|cancelled)/;

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
  await bench.done("PATCH", bench.project, {
    project: { settings: { allowed_ips: { ips: [FOREIGN], protected_branches_only: true } } },
  });
});
afterAll(async () => {
  const onProjects = bench.log().filter(({ path }) => /^\/projects(\/[^/]+)?$/.test(path));
  expect(onProjects.filter(({ method }) => method === "POST" || method === "DELETE")).toEqual([]);
  await bench.close();
});

function newRun(clock = fast): LiveRun {
  const { apiUrl, apiKey } = bench.emulator;
  return liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert, clock });
}

function set(method: string, route: string, name: string): void {
  const { fault, ...how } = FAULTS[name] ?? { fault: {} };
  bench.emulator.setFaults({ faults: [{ method, route, ...how, fault }] });
}

async function calm(): Promise<void> {
  bench.emulator.setFaults({ faults: [] });
  await bench.emulator.settled();
}

function expectInWords(message: string | undefined, name: string): void {
  if (!MAY_FAIL.test(name)) expect(message).toBeUndefined();
  else expect(message ?? "operation").toMatch(/operation/);
}

describe("ApiRole", () => {
  const roleNames = async (): Promise<string[]> =>
    (
      await bench.compute.sql<{ rolname: string }>(
        bench.emulator.branchId,
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'bemi%'",
      )
    ).map(({ rolname }) => rolname);
  const apiNames = async (): Promise<string[]> =>
    (await bench.api("GET", `${bench.branch}/roles`)).body.roles
      .map(({ name }) => name)
      .filter((name) => name.startsWith("bemi"));

  let inputs: ApiRoleInputs;
  beforeAll(() => {
    const { projectId, database } = bench.emulator;
    inputs = { projectId, database, name: "bemi", adopt: false };
  });

  test.each(Object.keys(FAULTS))("created once: %s", async (name) => {
    const role = new Resource(apiRole, () => newRun());
    set("POST", ROLES, name);
    expectInWords(await refusal(role.up(inputs)), name);
    await calm();
    expect(await refusal(role.up(inputs))).toBeUndefined();
    expect(await apiNames()).toEqual(["bemi"]);
    expect(await roleNames()).toEqual(["bemi"]);
    const { password } = (await bench.api("GET", `${bench.branch}/roles/bemi/reveal_password`)).body;
    expect(role.state).toMatchObject({ username: "bemi", password, created: true });
    await role.destroy();
    await calm();
    expect(await roleNames()).toEqual([]);
  });

  test("a creation whose end could not be seen is remembered, and finished by the next up", async () => {
    const role = new Resource(apiRole, () => newRun());
    bench.emulator.setFaults({
      faults: [`${PROJECT}/operations/{operation_id}`, `${ROLE}/reveal_password`].map((route) => ({
        method: "GET",
        route,
        times: 1_000,
        fault: { kind: "answer", status: 500 },
      })),
    });
    expect(await refusal(role.up(inputs))).toMatch(/500 to GET .*\/operations\//);
    expect(role.state).toMatchObject({ created: true, password: undefined });
    await calm();
    await role.up(inputs);
    const { password } = (await bench.api("GET", `${bench.branch}/roles/bemi/reveal_password`)).body;
    expect(role.state?.password).toBe(password);
    await role.destroy();
    await calm();
    expect(await roleNames()).toEqual([]);
  });

  test.each(Object.keys(FAULTS))("deleted: %s", async (name) => {
    const role = new Resource(apiRole, () => newRun());
    await role.up(inputs);
    set("DELETE", ROLE, name);
    expectInWords(await refusal(role.destroy()), name);
    await calm();
    await role.destroy();
    await calm();
    expect(await roleNames()).toEqual([]);
    expect(await apiNames()).toEqual([]);
  });

  test.each(Object.keys(FAULTS))("a new password: %s", async (name) => {
    const role = new Resource(apiRole, () => newRun());
    await role.up(inputs);
    const before = role.state?.password;
    set("POST", `${ROLE}/reset_password`, name);
    expectInWords(await refusal(role.up({ ...inputs, passwordVersion: 2 })), name);
    await calm();
    await role.up({ ...inputs, passwordVersion: 2 });
    const { password } = (await bench.api("GET", `${bench.branch}/roles/bemi/reveal_password`)).body;
    expect(role.state?.password).toBe(password);
    expect(password).not.toBe(before);
    await role.destroy();
    await calm();
  });
});

describe("IpAllow", () => {
  const list = async () => (await bench.api("GET", bench.project)).body.project.settings?.allowed_ips;
  const newOne = (clock = fast) => new Resource(ipAllowKind(clock), () => newRun(clock));
  let inputs: IpAllowInputs;
  beforeAll(() => {
    const { projectId } = bench.emulator;
    inputs = { projectId, ips: [ENTRY], restrictOpenProject: false, openRestrictedProject: false };
  });

  test.each(Object.keys(FAULTS))("our entry and no other comes and goes: %s", async (name) => {
    const ipAllow = newOne();
    set("PATCH", PROJECT, name);
    expectInWords(await refusal(ipAllow.up(inputs)), name);
    await calm();
    await ipAllow.up(inputs);
    expect(await list()).toEqual({ ips: [FOREIGN, ENTRY], protected_branches_only: true });
    expect(ipAllow.state).toMatchObject({ added: [ENTRY], wasOpen: false });

    set("PATCH", PROJECT, name);
    expectInWords(await refusal(ipAllow.destroy()), name);
    await calm();
    await ipAllow.destroy();
    expect(await list()).toEqual({ ips: [FOREIGN], protected_branches_only: true });
  });

  test("entries that were sent before the line broke are remembered as ours", async () => {
    const ipAllow = newOne();
    bench.emulator.setFaults({
      faults: [
        { method: "GET", route: PROJECT, skip: 1, times: 1_000, fault: { kind: "answer", status: 500 } },
      ],
    });
    expect(await refusal(ipAllow.up(inputs))).toMatch(/500 to GET/);
    await calm();
    expect(ipAllow.state).toMatchObject({ added: [ENTRY] });
    await ipAllow.up(inputs);
    await ipAllow.destroy();
    expect(await list()).toEqual({ ips: [FOREIGN], protected_branches_only: true });
  });

  test("a writer that takes our entry away again is seen, and repaired", async () => {
    const ipAllow = newOne();
    const allowedIps = { ips: [FOREIGN, "192.0.2.9"], protected_branches_only: true };
    bench.emulator.setFaults({
      faults: [
        { method: "PATCH", route: PROJECT, fault: { kind: "otherWriter", allowedIps, when: "after" } },
      ],
    });
    const lines = await ipAllow.up(inputs);
    expect(lines).toContainEqual(expect.stringContaining("Somebody else changed"));
    expect(await list()).toEqual({ ips: [...allowedIps.ips, ENTRY], protected_branches_only: true });
    await ipAllow.destroy();
    expect(await list()).toEqual(allowedIps);
    await bench.done("PATCH", bench.project, {
      project: { settings: { allowed_ips: { ips: [FOREIGN], protected_branches_only: true } } },
    });
  });

  test("twenty interleaved stacks end with every party's entries, and leave as they came", async () => {
    const stacks = Array.from({ length: 20 }, (_, at) => ({
      one: newOne(systemClock),
      ip: `203.0.113.${at + 1}`,
    }));
    await Promise.all(stacks.map(({ one, ip }) => one.up({ ...inputs, ips: [ip] })));
    const all = stacks.map(({ ip }) => ip).sort();
    expect([...((await list())?.ips ?? [])].sort()).toEqual([FOREIGN, ...all].sort());
    await Promise.all(stacks.map(({ one }) => one.destroy()));
    expect((await list())?.ips).toEqual([FOREIGN]);
  });
});

describe("LogicalReplication", () => {
  // It cannot be turned off again: each case has a project of its own.
  test.each(Object.keys(FAULTS))("on and verified: %s", async (name) => {
    const own = await startBench();
    try {
      const { apiUrl, apiKey, projectId, database, branchId } = own.emulator;
      const run = () => liveRun({ apiUrl, apiKey, sslRootCert: own.compute.sslRootCert, clock: slower });
      const setting = new Resource(logicalReplicationKind(slower), run);
      const inputs = { projectId, database, mode: "enable" } as const;
      const { fault, ...how } = FAULTS[name] ?? { fault: {} };
      own.emulator.setFaults({ faults: [{ method: "PATCH", route: PROJECT, ...how, fault }] });
      expectInWords(await refusal(setting.up(inputs)), name);
      own.emulator.setFaults({ faults: [] });
      await own.emulator.settled();
      await setting.up(inputs);
      expect(setting.state).toMatchObject({ walLevel: "logical", branchId });
      const [row] = await own.compute.sql<{ wal_level: string }>(branchId, "SHOW wal_level");
      expect(row?.wal_level).toBe("logical");
      const patches = own.log().filter(({ method }) => method === "PATCH");
      for (const { requestBody } of patches)
        expect(requestBody).toEqual({ project: { settings: { enable_logical_replication: true } } });
    } finally {
      await own.close();
    }
  });
});
