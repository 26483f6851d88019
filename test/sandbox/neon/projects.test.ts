import { DEFAULT_VERSION } from "../../support/postgres";
import { query, startBench, walLevel, type Bench } from "./harness";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  await bench.close();
});

test("starts with one project, its default branch and its active endpoint", async () => {
  const { emulator } = bench;
  expect(emulator.projectId).toMatch(/^[a-z]+-[a-z]+-\d{8}$/);
  expect(emulator.branchId).toMatch(/^br(-[a-z0-9]+){3}$/);
  expect(emulator.endpointId).toMatch(/^ep(-[a-z0-9]+){3}$/);
  const { body } = await bench.api("GET", bench.project);
  expect(body.project.settings).toMatchObject({
    enable_logical_replication: false,
    block_public_connections: false,
    allowed_ips: { ips: [], protected_branches_only: false },
  });
  const { body: branches } = await bench.api("GET", `${bench.project}/branches`);
  expect(branches.branches).toMatchObject([
    { id: emulator.branchId, name: "main", default: true, protected: false, current_state: "ready" },
  ]);
  const { body: endpoints } = await bench.api("GET", `${bench.branch}/endpoints`);
  expect(endpoints.endpoints).toMatchObject([
    {
      id: emulator.endpointId,
      type: "read_write",
      current_state: "active",
      host: bench.compute.address(emulator.branchId).host,
    },
  ]);
  expect(await walLevel(bench)).toBe("replica");
});

describe("connection_uri", () => {
  const asked = "database_name=neondb&role_name=neondb_owner";

  async function uri(query: string): Promise<string> {
    const { status, body } = await bench.api("GET", `${bench.project}/connection_uri?${query}`);
    expect(status).toBe(200);
    return body.uri;
  }

  test("is direct only with pooled=false", async () => {
    const { emulator } = bench;
    const direct = await uri(
      `${asked}&pooled=false&branch_id=${emulator.branchId}&endpoint_id=${emulator.endpointId}`,
    );
    expect(direct).toBe(emulator.ownerUri());
    expect(direct).toMatch(
      /^postgresql:\/\/neondb_owner:npg_\w+@localhost:\d+\/neondb\?sslmode=require&channel_binding=require$/,
    );
    expect(await query(bench, direct, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    for (const pooled of [asked, `${asked}&pooled=true`])
      expect(new URL(await uri(pooled)).hostname).toBe(`${emulator.endpointId}-pooler.localhost`);
  });

  test.each([
    ["database_name=neondb", 400],
    [`${asked}&pooled=maybe`, 400],
    ["database_name=nope&role_name=neondb_owner", 404],
    ["database_name=neondb&role_name=nope", 404],
    [`${asked}&branch_id=br-no-such-branch`, 404],
    [`${asked}&endpoint_id=ep-no-such-endpoint`, 404],
  ])("%s answers %d", async (query, expected) => {
    expect((await bench.api("GET", `${bench.project}/connection_uri?${query}`)).status).toBe(expected);
  });
});

describe("keys", () => {
  test.each([null, "napi_wrong"])("the key %p answers 401", async (key) => {
    const { status, body } = await bench.api("GET", bench.project, undefined, key);
    expect(status).toBe(401);
    expect(body).toEqual({
      request_id: expect.any(String) as string,
      code: "",
      message: expect.any(String) as string,
    });
  });

  test("a read-only key permits GET requests only", async () => {
    const { readOnly } = bench.emulator.keys;
    expect((await bench.api("GET", bench.project, undefined, readOnly)).status).toBe(200);
    const change = { project: { settings: { enable_logical_replication: true } } };
    expect((await bench.api("PATCH", bench.project, change, readOnly)).status).toBe(403);
    expect(await walLevel(bench)).toBe("replica");
  });

  test("a project-scoped key works in its project only, and cannot delete it", async () => {
    const { project } = bench.emulator.keys;
    const status = async (method: string, path: string, body?: object) =>
      (await bench.api(method, path, body, project)).status;
    expect(await status("GET", `${bench.branch}/roles`)).toBe(200);
    expect(await status("PATCH", bench.project, { project: { name: "scoped" } })).toBe(200);
    expect(await status("GET", "/users/me/organizations")).toBe(200);
    expect(await status("GET", "/users/me")).toBe(403);
    expect(await status("GET", "/projects/other-project-12345678")).toBe(403);
    expect(await status("POST", "/projects", { project: {} })).toBe(403);
    expect(await status("DELETE", bench.project)).toBe(403);
    expect((await bench.api("GET", "/projects", undefined, project)).body.projects).toHaveLength(1);
  });
});

test("answers 404 for unknown objects, with the request id of the client", async () => {
  for (const path of ["/nowhere", "/projects/no-such-12345678", `${bench.project}/branches/br-no-such-one`])
    expect((await bench.api("GET", path)).status).toBe(404);
  const response = await fetch(`${bench.emulator.apiUrl}/nowhere`, { headers: { "x-request-id": "mine" } });
  expect(await response.json()).toMatchObject({ request_id: "mine" });
});

describe("another project", () => {
  test("is made with the given settings, reveals no passwords, and is deleted whole", async () => {
    const { body, status } = await bench.done("POST", "/projects", {
      project: {
        name: "second",
        store_passwords: false,
        settings: { enable_logical_replication: true, allowed_ips: { ips: ["203.0.113.7"] } },
        branch: { name: "trunk", role_name: "sally", database_name: "mydb" },
      },
    });
    expect(status).toBe(201);
    expect(body.operations.map(({ action, status: at }) => [action, at])).toEqual([
      ["create_timeline", "running"],
      ["start_compute", "scheduling"],
    ]);
    expect(body.project).toMatchObject({
      name: "second",
      store_passwords: false,
      pg_version: DEFAULT_VERSION,
    });
    expect(body.branch).toMatchObject({ name: "trunk", default: true });
    expect(await walLevel(bench, body.branch.id)).toBe("logical");
    expect(bench.emulator.admits(body.branch.id, "127.0.0.1")).toBe(false);
    const path = `/projects/${body.project.id}`;
    const role = `${path}/branches/${body.branch.id}/roles/sally`;
    const revealed = await bench.api("GET", `${role}/reveal_password`);
    expect([revealed.status, revealed.body.message]).toEqual([
      412,
      "storing passwords is not enabled for the project",
    ]);
    const uri = await bench.api("GET", `${path}/connection_uri?database_name=mydb&role_name=sally`);
    expect(uri.status).toBe(412);

    const { body: listed } = await bench.api("GET", "/projects?limit=1&search=second");
    expect(listed.projects.map(({ id }) => id)).toEqual([body.project.id]);

    await bench.api("PATCH", `${path}/branches/${body.branch.id}`, { branch: { protected: true } });
    await bench.emulator.settled();
    expect((await bench.api("DELETE", path)).status).toBe(422);
    await bench.api("PATCH", `${path}/branches/${body.branch.id}`, { branch: { protected: false } });
    await bench.emulator.settled();
    expect((await bench.api("DELETE", path)).status).toBe(200);
    expect((await bench.api("GET", path)).status).toBe(404);
    expect(() => bench.compute.isRunning(body.branch.id)).toThrow();
  });

  test("of another PostgreSQL version is refused", async () => {
    const other = DEFAULT_VERSION === 14 ? 15 : 14;
    const { status, body } = await bench.api("POST", "/projects", { project: { pg_version: other } });
    expect([status, body.message]).toEqual([400, expect.stringContaining(String(DEFAULT_VERSION))]);
  });
});

/** Waits until the list of operations, which lags behind, no longer grows. */
async function listed(atLeast: number): Promise<void> {
  for (let before = -1; ;) {
    const { body } = await bench.api("GET", `${bench.project}/operations`);
    if (body.operations.length === before && before >= atLeast) return;
    before = body.operations.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

test("pages the list of operations by pagination.cursor until a page is empty", async () => {
  await bench.done("POST", `${bench.branch}/roles`, { role: { name: "pager" } });
  await bench.done("DELETE", `${bench.branch}/roles/pager`);
  await listed(2);
  const all: string[] = [];
  let cursor: string | undefined;
  do {
    const from = cursor === undefined ? "" : `&cursor=${cursor}`;
    const { body } = await bench.api("GET", `${bench.project}/operations?limit=2${from}`);
    all.push(...body.operations.map(({ id }) => id));
    cursor = body.pagination?.cursor;
  } while (cursor !== undefined);
  const { body } = await bench.api("GET", `${bench.project}/operations`);
  expect(body.operations.length).toBeGreaterThan(2);
  expect(all).toEqual(body.operations.map(({ id }) => id));
  expect((await bench.api("GET", `${bench.project}/operations?cursor=nonsense`)).status).toBe(400);
  expect((await bench.api("GET", `${bench.project}/operations?limit=1001`)).status).toBe(400);
});

test("the list of operations lags behind, a single operation does not", async () => {
  const { body } = await bench.api("POST", `${bench.branch}/roles`, { role: { name: "lagging" } });
  const [operation] = body.operations;
  const { body: list } = await bench.api("GET", `${bench.project}/operations`);
  expect(list.operations.map(({ id }) => id)).not.toContain(operation?.id);
  const { body: one } = await bench.api("GET", `${bench.project}/operations/${operation?.id}`);
  expect(one.operation).toMatchObject({ action: "apply_config", status: "running" });
  await bench.emulator.settled();
});
