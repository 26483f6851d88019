import type { ApiRoleInputs } from "../../provider/contract/kinds/apiRole";
import type { IpAllowInputs } from "../../provider/contract/kinds/ipAllow";
import type { LogicalReplicationInputs } from "../../provider/contract/kinds/logicalReplication";
import { apiRole } from "../../provider/neon";
import type { Clock } from "../../provider/contract/clock";
import { ipAllowKind } from "../../provider/neon/ipAllow/ipAllow";
import { logicalReplicationKind } from "../../provider/neon/logicalReplication/logicalReplication";
import { allowedIps, startBench, walLevel, type Bench } from "../sandbox/neon/harness";
import { expectCareful } from "../support/requestLog";
import { refusal } from "../support/refusal";
import { Resource } from "../support/resource";
import { liveRun, type LoggedRun } from "../support/run";
import { fastClock } from "./clocks";

const PROJECT = "/projects/{project_id}";
const ROLES = `${PROJECT}/branches/{branch_id}/roles`;
const ROLE = `${ROLES}/{role_name}`;
const RESTART = `${PROJECT}/endpoints/{endpoint_id}/restart`;
const FOREIGN = "198.51.100.1";
const ENTRY = "203.0.113.7";

/** Factor of the clock for requests to the sandbox. */
const FAST = 150;
/** Factor of the clock where servers restart, which takes them real time. */
const RESTARTS = 60;
/** Factor of the clock where only a deadline ends the wait. */
const HURRIED = 3_000;

interface Case {
  readonly fault: object;
  readonly times?: number;
  /** How long the fault lasts, on the module's clock. */
  readonly seconds?: number;
  /** Up may end in an error that names the operation. With every other fault it must succeed. */
  readonly mayFail?: true;
  /** Only a deadline ends the wait. */
  readonly lasting?: true;
}

const busy = (status: number, as: "seconds" | "date") => ({
  kind: "answer",
  status,
  retryAfter: { seconds: 3, as },
});
const operation = (outcome: string) => ({ kind: "operation", outcome });
const FAULTS: Readonly<Record<string, Case>> = {
  "423 for 60 s": { fault: { kind: "answer", status: 423 }, seconds: 60 },
  "429 with Retry-After in seconds": { fault: busy(429, "seconds"), times: 2 },
  "429 with Retry-After as a date": { fault: busy(429, "date"), times: 2 },
  "503": { fault: { kind: "answer", status: 503 }, times: 3 },
  "500 before": { fault: { kind: "answer", status: 500 } },
  "500 after success": { fault: { kind: "answer", status: 500, when: "after" } },
  "connection cut before": { fault: { kind: "cut", when: "before" } },
  "connection cut after success": { fault: { kind: "cut", when: "after" } },
  "operation failed": { fault: operation("failed"), mayFail: true, lasting: true },
  "operation failed, then retried": { fault: operation("retried") },
  "operation in error": { fault: operation("error"), mayFail: true },
  "operation stuck": { fault: operation("stuck"), mayFail: true, lasting: true },
  "operation cancelled": { fault: operation("cancelled"), mayFail: true },
};

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ pace: 20 });
  const allowed_ips = { ips: [FOREIGN], protected_branches_only: true };
  await bench.done("PATCH", bench.project, { project: { settings: { allowed_ips } } });
  await bench.done("PATCH", bench.project, { project: { settings: { enable_logical_replication: true } } });
});
afterEach(async () => {
  await calm();
  // A failed test can leave its role behind, which would make the next tests fail too.
  if ((await inApi()).length > 0) await bench.done("DELETE", `${bench.branch}/roles/bemi`);
});
afterAll(async () => {
  const log = bench.log();
  await bench.close();
  expectCareful(log);
});

function newRun(clock: Clock): LoggedRun {
  const { apiUrl, apiKey } = bench.emulator;
  return liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert, clock });
}

/** Sets the fault for the next such request. Returns the clock for the work under that fault. */
function set(name: string, method: string, route: string, factor: number): Clock {
  const { fault, times, seconds, lasting } = FAULTS[name] ?? { fault: {} };
  const speed = lasting === undefined ? factor : HURRIED;
  const forMs = seconds === undefined ? undefined : Math.round((seconds * 1_000) / speed);
  bench.emulator.setFaults({ faults: [{ method, route, times, forMs, fault }] });
  return fastClock(speed);
}

async function calm(): Promise<void> {
  bench.emulator.setFaults({ faults: [] });
  await bench.emulator.settled();
}

function expectSuccessOrWords(name: string, message: string | undefined, words = /operation/): void {
  if (FAULTS[name]?.mayFail === undefined) expect(message).toBeUndefined();
  else expect(message ?? "operation").toMatch(words);
}

async function inServer(): Promise<string[]> {
  const rows = await bench.compute.sql<{ rolname: string }>(
    bench.emulator.branchId,
    "SELECT rolname FROM pg_roles WHERE rolname LIKE 'bemi%'",
  );
  return rows.map(({ rolname }) => rolname);
}

async function inApi(): Promise<string[]> {
  const { roles } = (await bench.api("GET", `${bench.branch}/roles`)).body;
  return roles.map(({ name }) => name).filter((name) => name.startsWith("bemi"));
}

async function revealed(): Promise<string> {
  return (await bench.api("GET", `${bench.branch}/roles/bemi/reveal_password`)).body.password;
}

function roleInputs(): ApiRoleInputs {
  const { projectId, database } = bench.emulator;
  return { projectId, database, name: "bemi", adopt: false };
}

/** A role whose steps use the clock that was set last. */
function newRole(): { role: Resource<ApiRoleInputs, object>; on: (clock: Clock) => void } {
  let now = fastClock(FAST);
  return {
    role: new Resource<ApiRoleInputs, object>(apiRole, () => newRun(now)),
    on: (clock) => {
      now = clock;
    },
  };
}

describe.each(Object.keys(FAULTS))("%s", (name) => {
  test("POST of a role makes one role with the known password, and destroy removes it", async () => {
    const { role, on } = newRole();
    on(set(name, "POST", ROLES, FAST));
    const message = await refusal(role.up(roleInputs()));
    expectSuccessOrWords(name, message);
    // If up succeeds, the role must exist.
    if (message === undefined) expect(await inServer()).toEqual(["bemi"]);
    await calm();
    on(fastClock(FAST));
    await role.up(roleInputs());
    expect(await inApi()).toEqual(["bemi"]);
    expect(await inServer()).toEqual(["bemi"]);
    expect(role.state).toMatchObject({ username: "bemi", password: await revealed(), created: true });
    await role.destroy();
    expect(await inServer()).toEqual([]);
  });

  test("POST of a new password leaves the password that is in the state", async () => {
    const { role, on } = newRole();
    await role.up(roleInputs());
    const before = await revealed();
    on(set(name, "POST", `${ROLE}/reset_password`, FAST));
    expectSuccessOrWords(name, await refusal(role.up({ ...roleInputs(), passwordVersion: 2 })));
    await calm();
    on(fastClock(FAST));
    await role.up({ ...roleInputs(), passwordVersion: 2 });
    expect(await revealed()).not.toBe(before);
    expect(role.state).toMatchObject({ password: await revealed(), passwordVersion: 2 });
    await role.destroy();
  });

  test("DELETE of a role leaves no role", async () => {
    const { role, on } = newRole();
    await role.up(roleInputs());
    on(set(name, "DELETE", ROLE, FAST));
    const message = await refusal(role.destroy());
    expectSuccessOrWords(name, message);
    if (message === undefined) expect(await inServer()).toEqual([]);
    await calm();
    on(fastClock(FAST));
    await role.destroy();
    expect(await inServer()).toEqual([]);
    expect(await inApi()).toEqual([]);
  });

  test("PATCH of IP Allow adds the entry once, removes it again, and keeps the others", async () => {
    let clock = set(name, "PATCH", PROJECT, FAST);
    const newOne = () => new Resource(ipAllowKind(clock), () => newRun(clock));
    const { projectId } = bench.emulator;
    const inputs: IpAllowInputs = {
      projectId,
      ips: [ENTRY],
      restrictOpenProject: false,
      openRestrictedProject: false,
    };
    const ipAllow = newOne();
    expectSuccessOrWords(name, await refusal(ipAllow.up(inputs)));
    await calm();
    clock = fastClock(FAST);
    await ipAllow.up(inputs);
    expect(await allowedIps(bench)).toEqual({ ips: [FOREIGN, ENTRY], protected_branches_only: true });
    expect(ipAllow.state).toMatchObject({ added: [ENTRY], wasOpen: false });

    clock = set(name, "PATCH", PROJECT, FAST);
    const going = newOne();
    going.state = ipAllow.state;
    expectSuccessOrWords(name, await refusal(going.destroy()));
    await calm();
    clock = fastClock(FAST);
    await going.destroy();
    expect(await allowedIps(bench)).toEqual({ ips: [FOREIGN], protected_branches_only: true });
  });

  test("PATCH of logical replication turns it on, which SQL confirms", async () => {
    // The setting cannot be turned off again, so each case has its own project.
    const { body } = await bench.done("POST", "/projects", { project: {} });
    const { project, branch } = body;
    const inputs: LogicalReplicationInputs = { projectId: project.id, database: "neondb", mode: "enable" };
    const clock = set(name, "PATCH", PROJECT, RESTARTS);
    const first = new Resource(logicalReplicationKind(clock), () => newRun(clock));
    const message = await refusal(first.up(inputs));
    expectSuccessOrWords(name, message);
    if (message === undefined) expect(await walLevel(bench, branch.id)).toBe("logical");
    await calm();
    const again = new Resource(logicalReplicationKind(fastClock(RESTARTS)), () =>
      newRun(fastClock(RESTARTS)),
    );
    await again.up(inputs);
    expect(again.state).toMatchObject({ walLevel: "logical", branchId: branch.id });
    expect(await walLevel(bench, branch.id)).toBe("logical");
    await bench.api("DELETE", `/projects/${project.id}`);
  });

  test("POST of a restart makes a compute logical that lagged behind its project's setting", async () => {
    const { branchId, projectId, database } = bench.emulator;
    bench.compute.setWalLevel(branchId, "replica");
    await bench.compute.stop(branchId);
    await bench.compute.start(branchId);
    bench.compute.setWalLevel(branchId, "logical");
    // If the restart does not begin, only the deadline ends the wait.
    const clock = set(name, "POST", RESTART, name.includes("before") ? HURRIED : RESTARTS);
    const inputs: LogicalReplicationInputs = { projectId, database, mode: "enable" };
    const setting = new Resource(logicalReplicationKind(clock), () => newRun(clock));
    const message = await refusal(setting.up(inputs));
    // A restart that may have taken place is not requested twice in one run, so the wait can end at its deadline.
    if (!name.includes("before")) expectSuccessOrWords(name, message);
    else expect(message ?? "is on, but").toMatch(/is on, but .*does not confirm it/);
    await calm();
    const again = new Resource(logicalReplicationKind(fastClock(RESTARTS)), () =>
      newRun(fastClock(RESTARTS)),
    );
    await again.up(inputs);
    expect(await walLevel(bench, branchId)).toBe("logical");
  });
});
