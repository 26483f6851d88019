import { control, query, startBench, type Bench } from "./harness";

const ROLES = "/projects/{project_id}/branches/{branch_id}/roles";
const PROJECT = "/projects/{project_id}";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  await bench.close();
});
afterEach(async () => {
  bench.emulator.setFaults({ faults: [] });
  await bench.emulator.settled();
});

function set(...faults: object[]): void {
  bench.emulator.setFaults({ faults });
}

async function exists(role: string): Promise<boolean> {
  const { compute, emulator } = bench;
  return (await compute.sql(emulator.branchId, "SELECT FROM pg_roles WHERE rolname = $1", [role])).length > 0;
}

function createRole(name: string) {
  return bench.api("POST", `${bench.branch}/roles`, { role: { name } });
}

test("answers an error before the request takes effect", async () => {
  set({ method: "POST", route: ROLES, fault: { kind: "answer", status: 503, message: "try later" } });
  const { status, body } = await createRole("before");
  expect([status, body.message]).toEqual([503, "try later"]);
  expect(await exists("before")).toBe(false);
  expect((await createRole("before")).status).toBe(201);
});

test("answers an error after the request has taken effect", async () => {
  set({ method: "POST", route: ROLES, fault: { kind: "answer", status: 500, when: "after" } });
  expect((await createRole("after")).status).toBe(500);
  await bench.emulator.settled();
  expect(await exists("after")).toBe(true);
});

test("answers Retry-After in seconds or as a date", async () => {
  const answer = { kind: "answer", status: 429 };
  set(
    { method: "GET", route: PROJECT, fault: { ...answer, retryAfter: { seconds: 2 } } },
    { method: "POST", route: ROLES, fault: { ...answer, retryAfter: { seconds: 60, as: "date" } } },
  );
  expect((await bench.api("GET", bench.project)).headers.get("retry-after")).toBe("2");
  const date = Date.parse((await createRole("dated")).headers.get("retry-after") ?? "");
  expect(Math.abs(date - Date.now() - 60_000)).toBeLessThan(30_000);
});

test("answers 429 beyond the number of requests of a rate limit", async () => {
  set({ method: "*", route: "*", fault: { kind: "rateLimit", requests: 2, perSeconds: 600 } });
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await bench.api("GET", bench.project)).status);
  expect(statuses).toEqual([200, 200, 429]);
});

test.each([
  ["before", false, null],
  ["after", true, 201],
])("cuts the connection %s the request takes effect", async (when, happened, loggedStatus) => {
  set({ method: "POST", route: ROLES, fault: { kind: "cut", when } });
  await expect(createRole(`cut_${when}`)).rejects.toThrow();
  await bench.emulator.settled();
  expect(await exists(`cut_${when}`)).toBe(happened);
  expect(bench.log().at(-1)).toMatchObject({ method: "POST", status: loggedStatus, faults: ["cut"] });
});

test.each(["failed", "error", "cancelled"])("an operation that ends as %s has no effect", async (outcome) => {
  set({ method: "POST", route: ROLES, fault: { kind: "operation", outcome } });
  const { body } = await createRole(`op_${outcome}`);
  await bench.emulator.settled();
  const { body: after } = await bench.api("GET", `${bench.project}/operations/${body.operations[0]?.id}`);
  expect(after.operation.status).toBe(outcome);
  expect(after.operation.error === undefined).toBe(outcome === "cancelled");
  expect(await exists(`op_${outcome}`)).toBe(false);
  expect((await bench.api("GET", `${bench.branch}/roles/op_${outcome}`)).status).toBe(404);
});

test("adds an operation to a change that needs none, if a fault is about operations", async () => {
  const change = { project: { settings: { block_vpc_connections: true } } };
  expect((await bench.api("PATCH", bench.project, change)).body.operations).toEqual([]);
  set({ method: "PATCH", route: PROJECT, fault: { kind: "operation", outcome: "error" } });
  const { body } = await bench.api("PATCH", bench.project, change);
  await bench.emulator.settled();
  const { body: after } = await bench.api("GET", `${bench.project}/operations/${body.operations[0]?.id}`);
  expect(after.operation).toMatchObject({ action: "apply_config", status: "error" });
});

test("logs which client sent a request", async () => {
  await fetch(`${bench.emulator.apiUrl}${bench.project}`, { headers: { "user-agent": "somebody/1" } });
  expect(bench.log().at(-1)).toMatchObject({ status: 401, userAgent: "somebody/1" });
});

test("cancels the operations after a failed one", async () => {
  const fault = { kind: "operation", outcome: "error", action: "suspend_compute" };
  const route = "/projects/{project_id}/endpoints/{endpoint_id}/restart";
  set({ method: "POST", route, fault });
  const { body } = await bench.api("POST", `${bench.project}/endpoints/${bench.emulator.endpointId}/restart`);
  await bench.emulator.settled();
  const ends = [];
  for (const { id } of body.operations)
    ends.push((await bench.api("GET", `${bench.project}/operations/${id}`)).body.operation.status);
  expect(ends).toEqual(["error", "cancelled"]);
});

test("lets a retried operation fail once and then finish", async () => {
  set({ method: "POST", route: ROLES, fault: { kind: "operation", outcome: "retried" } });
  const { body } = await createRole("retried");
  const seen = new Set<string>();
  let last;
  do {
    const path = `${bench.project}/operations/${body.operations[0]?.id}`;
    last = (await bench.api("GET", path)).body.operation;
    seen.add(last.status);
  } while (last.status !== "finished");
  expect([...seen]).toContain("failed");
  expect(last.failures_count).toBe(1);
  expect(last).toHaveProperty("retry_at");
  expect(await exists("retried")).toBe(true);
});

test("a stuck operation locks the project until other faults are set", async () => {
  set({ method: "POST", route: ROLES, fault: { kind: "operation", outcome: "stuck" } });
  await createRole("stuck");
  expect((await createRole("waiting")).status).toBe(423);
  expect(await exists("stuck")).toBe(false);
  set();
  await bench.emulator.settled();
  expect(await exists("stuck")).toBe(true);
});

test("another writer changes IP Allow between a GET and the PATCH", async () => {
  const allowedIps = { ips: ["198.51.100.9"], protected_branches_only: false };
  set({ method: "GET", route: PROJECT, fault: { kind: "otherWriter", when: "after", allowedIps } });
  const ips = async () => (await bench.api("GET", bench.project)).body.project.settings?.allowed_ips?.ips;
  expect(await ips()).toEqual([]);
  expect(await ips()).toEqual(["198.51.100.9"]);
});

test("faults are set over HTTP with the main key only, and a bad script is explained", async () => {
  const rule = { method: "GET", route: PROJECT, fault: { kind: "answer", status: 503 } };
  const { readOnly } = bench.emulator.keys;
  expect((await control(bench, "faults", { faults: [rule] }, readOnly)).status).toBe(403);
  const bad = await control(bench, "faults", { faults: [{ ...rule, route: "/nowhere" }] });
  expect([bad.status, bad.body.message]).toEqual([400, expect.stringContaining("/nowhere")]);
  expect((await bench.api("GET", bench.project)).status).toBe(200);
  expect((await control(bench, "faults", { faults: [rule] })).status).toBe(204);
  expect((await bench.api("GET", bench.project)).status).toBe(503);
});

test("a delay holds one request and not the others", async () => {
  set({ method: "GET", route: PROJECT, fault: { kind: "delay", ms: 1000 } });
  const order: string[] = [];
  await Promise.all([
    bench.api("GET", bench.project).then(() => order.push("delayed")),
    bench.api("GET", `${bench.project}/branches`).then(() => order.push("other")),
  ]);
  expect(order).toEqual(["other", "delayed"]);
});

describe("about SQL connections", () => {
  // The tests before have restricted the project.
  beforeAll(() =>
    bench.done("PATCH", bench.project, { project: { settings: { allowed_ips: { ips: [] } } } }),
  );

  test("refuses logins with the proxy's message, as often as the script says", async () => {
    const owner = bench.emulator.ownerUri();
    const fault = { kind: "refuse", message: "the database system is starting up" };
    set({ on: "login", role: "neondb_owner", skip: 1, times: 1, fault });
    await query(bench, owner, "SELECT 1");
    await expect(query(bench, owner, "SELECT 1")).rejects.toMatchObject({
      message: fault.message,
      code: "XX000",
    });
    await query(bench, owner, "SELECT 1");
  });

  test("fails the commit of statements about roles as the control plane does", async () => {
    const owner = bench.emulator.ownerUri();
    set(
      { on: "roles", fault: { kind: "controlPlane", outcome: "error" } },
      { on: "roles", skip: 1, fault: { kind: "controlPlane", outcome: "timeout", ms: 20 } },
    );
    await expect(query(bench, owner, "CREATE ROLE refused")).rejects.toThrow(
      'Received HTTP code 500 from control plane: {"error":"internal server error"}',
    );
    await expect(query(bench, owner, "CREATE ROLE refused")).rejects.toThrow(
      "Failed to perform curl request: Operation timed out after 20 milliseconds with 0 bytes received",
    );
    expect(await exists("refused")).toBe(false);
  });

  test("holds back the commit of statements about roles while the control plane is slow", async () => {
    const owner = bench.emulator.ownerUri();
    set({ on: "roles", fault: { kind: "controlPlane", outcome: "slow", ms: 300 } });
    const started = performance.now();
    await query(bench, owner, "CREATE ROLE slow");
    expect(performance.now() - started).toBeGreaterThanOrEqual(290);
    expect(await exists("slow")).toBe(true);
  });

  test("makes a ghost of a role at the next start of the compute", async () => {
    const { emulator } = bench;
    set({ on: "roles", fault: { kind: "controlPlane", outcome: "ghost", role: "ghost" } });
    await expect(query(bench, emulator.ownerUri(), "CREATE ROLE ghost LOGIN")).rejects.toThrow("timed out");
    expect(await exists("ghost")).toBe(false);
    await bench.done("POST", `${bench.project}/endpoints/${emulator.endpointId}/restart`);
    const members = "SELECT pg_has_role('ghost', 'neon_superuser', 'USAGE') AS member";
    expect(await query(bench, emulator.ownerUri(), members)).toEqual([{ member: true }]);
    await bench.done("DELETE", `${bench.branch}/roles/ghost`);
  });
});
