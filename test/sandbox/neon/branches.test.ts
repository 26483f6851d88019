import { setTimeout as sleep } from "node:timers/promises";
import { control, query, startBench, type Bench } from "./harness";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ pace: 5 });
  await query(
    bench,
    bench.emulator.ownerUri(),
    "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)",
  );
});
afterAll(async () => {
  await bench.close();
});

function branchPath(id: string): string {
  return `${bench.project}/branches/${id}`;
}

async function uriOf(branchId: string): Promise<string> {
  const asked = `database_name=neondb&role_name=neondb_owner&pooled=false&branch_id=${branchId}`;
  return (await bench.api("GET", `${bench.project}/connection_uri?${asked}`)).body.uri;
}

test("makes a branch with a compute as an independent copy", async () => {
  const { status, body } = await bench.done("POST", `${bench.project}/branches`, {
    branch: { name: "copy" },
    endpoints: [{ type: "read_write" }],
  });
  expect(status).toBe(201);
  expect(body.branch).toMatchObject({
    name: "copy",
    parent_id: bench.emulator.branchId,
    current_state: "init",
    pending_state: "ready",
    default: false,
  });
  expect(body.operations.map(({ action, status: at }) => [action, at])).toEqual([
    ["create_branch", "running"],
    ["start_compute", "scheduling"],
  ]);
  const uri = await uriOf(body.branch.id);
  expect(body.connection_uris).toMatchObject([{ connection_uri: uri }]);
  await query(bench, uri, "INSERT INTO t VALUES (2)");
  expect(await query(bench, uri, "SELECT count(*)::int AS n FROM t")).toEqual([{ n: 2 }]);
  expect(await query(bench, bench.emulator.ownerUri(), "SELECT count(*)::int AS n FROM t")).toEqual([
    { n: 1 },
  ]);

  const { body: gone } = await bench.done("DELETE", branchPath(body.branch.id));
  expect(gone.operations.map(({ action }) => action)).toEqual(["suspend_compute", "delete_timeline"]);
  expect((await bench.api("GET", branchPath(body.branch.id))).status).toBe(404);
  expect((await bench.api("DELETE", branchPath(body.branch.id))).status).toBe(204);
});

test("makes a branch without a compute, with a generated name, until one is added", async () => {
  const { body } = await bench.done("POST", `${bench.project}/branches`);
  const { id, name } = body.branch;
  expect(name).toBe(id);
  expect(body.endpoints).toEqual([]);
  expect(body).not.toHaveProperty("connection_uris");
  expect(bench.compute.isRunning(id)).toBe(false);
  const asked = `database_name=neondb&role_name=neondb_owner&branch_id=${id}`;
  expect((await bench.api("GET", `${bench.project}/connection_uri?${asked}`)).status).toBe(404);

  const wanted = { endpoint: { branch_id: id, type: "read_write" } };
  const { body: made, status } = await bench.done("POST", `${bench.project}/endpoints`, wanted);
  expect(status).toBe(201);
  expect((await bench.api("POST", `${bench.project}/endpoints`, wanted)).status).toBe(409);
  expect(await query(bench, await uriOf(id), "SELECT id FROM t")).toEqual([{ id: 1 }]);

  const endpoint = `${bench.project}/endpoints/${made.endpoint.id}`;
  await bench.done("PATCH", endpoint, { endpoint: { disabled: true } });
  expect((await bench.api("GET", endpoint)).body.endpoint).toMatchObject({
    disabled: true,
    current_state: "idle",
  });
  expect((await bench.api("POST", `${endpoint}/start`)).status).toBe(422);
  const uri = await uriOf(id);
  await expect(query(bench, uri, "SELECT 1")).rejects.toThrow("The endpoint has been disabled");
  expect(bench.compute.isRunning(id)).toBe(false);
  await bench.done("PATCH", endpoint, { endpoint: { disabled: false } });
  expect(await query(bench, uri, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  await bench.done("DELETE", endpoint);
  await expect(query(bench, uri, "SELECT 1")).rejects.toThrow("The requested endpoint could not be found");
  expect((await bench.api("GET", endpoint)).status).toBe(404);
  expect((await bench.api("DELETE", endpoint)).status).toBe(204);
  await bench.done("DELETE", branchPath(id));
});

test("refuses to delete default, root, parent and protected branches", async () => {
  const { body } = await bench.done("POST", `${bench.project}/branches`, { branch: { name: "child" } });
  const child = branchPath(body.branch.id);
  const message = async (path: string) => {
    const { status, body: refusal } = await bench.api("DELETE", path);
    expect(status).toBe(422);
    return refusal.message;
  };
  expect(await message(bench.branch)).toContain("default");
  await bench.api("POST", `${child}/set_as_default`);
  expect(await message(bench.branch)).toContain("root");
  expect(await message(child)).toContain("default");
  await bench.api("POST", `${bench.branch}/set_as_default`);
  await bench.done("PATCH", child, { branch: { protected: true } });
  expect(await message(child)).toContain("protected");
  await bench.done("PATCH", child, { branch: { protected: false } });
  const { body: grand } = await bench.done("POST", `${bench.project}/branches`, {
    branch: { parent_id: body.branch.id },
  });
  expect(await message(child)).toContain("child");
  await bench.done("DELETE", branchPath(grand.branch.id));
  await bench.done("DELETE", child);
});

test("refuses a name that is taken with 409, and renames without an operation", async () => {
  const { body } = await bench.done("POST", `${bench.project}/branches`, { branch: { name: "before" } });
  const path = branchPath(body.branch.id);
  expect((await bench.api("POST", `${bench.project}/branches`, { branch: { name: "before" } })).status).toBe(
    409,
  );
  expect((await bench.api("PATCH", path, { branch: { name: "main" } })).status).toBe(409);
  const { body: renamed } = await bench.api("PATCH", path, { branch: { name: "after" } });
  expect([renamed.branch.name, renamed.operations]).toEqual(["after", []]);
  await bench.done("DELETE", path);
});

test("gives the children of a protected branch new passwords", async () => {
  const parent = bench.emulator.ownerUri();
  await bench.done("PATCH", bench.branch, { branch: { protected: true } });
  const { body } = await bench.done("POST", `${bench.project}/branches`, {
    endpoints: [{ type: "read_write" }],
  });
  await bench.done("PATCH", bench.branch, { branch: { protected: false } });
  const uri = await uriOf(body.branch.id);
  expect(new URL(uri).password).not.toBe(new URL(parent).password);
  await query(bench, uri, "SELECT 1");
  await query(bench, parent, "SELECT 1");
  await bench.done("DELETE", branchPath(body.branch.id));
});

test("sorts the list by updated_at, searches name and id, and pages by pagination.next", async () => {
  for (const name of ["alpha", "beta", "gamma"])
    await bench.done("POST", `${bench.project}/branches`, { branch: { name } });
  await bench.api("PATCH", bench.branch, { branch: { name: "main" } });
  const names = async (query: string) => {
    const { body } = await bench.api("GET", `${bench.project}/branches?${query}`);
    return { names: body.branches.map(({ name }) => name), next: body.pagination?.next };
  };
  const first = await names("limit=3");
  expect(first.names).toEqual(["main", "gamma", "beta"]);
  expect(await names(`limit=3&cursor=${first.next}`)).toEqual({ names: ["alpha"], next: undefined });
  expect((await names("sort_by=name&sort_order=asc")).names).toEqual(["alpha", "beta", "gamma", "main"]);
  expect((await names("search=lph")).names).toEqual(["alpha"]);
  expect((await names(`search=${bench.emulator.branchId}`)).names).toEqual(["main"]);
});

describe("branches that are only listed", () => {
  test("are made by the hundred, with the roles and databases of the default branch", async () => {
    const { status, body } = await control(bench, "branches", { prefix: "listed-", count: 150 });
    expect([status, body.branches.length]).toEqual([201, 150]);
    const [first] = body.branches;
    expect(first?.name).toBe("listed-1");
    const { body: found } = await bench.api("GET", `${bench.project}/branches?search=listed-&limit=1000`);
    expect(found.branches).toHaveLength(150);
    expect((await bench.api("GET", `${branchPath(first?.id ?? "")}/endpoints`)).body.endpoints).toEqual([]);
    const { body: databases } = await bench.api("GET", `${branchPath(first?.id ?? "")}/databases`);
    expect(databases.databases.map(({ name }) => name)).toEqual(["neondb"]);
    expect((await bench.api("GET", `${branchPath(first?.id ?? "")}/roles`)).status).toBe(200);
  });

  test("can be renamed and deleted; requests that need a server are refused", async () => {
    const { body } = await control(bench, "branches", { prefix: "one-", count: 1 });
    const id = body.branches[0]?.id ?? "";
    const refused = [
      await bench.api("POST", `${branchPath(id)}/roles`, { role: { name: "r" } }),
      await bench.api("POST", `${bench.project}/endpoints`, {
        endpoint: { branch_id: id, type: "read_write" },
      }),
      await bench.api("POST", `${bench.project}/branches`, { branch: { parent_id: id } }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([422, 422, 422]);
    expect((await bench.api("PATCH", branchPath(id), { branch: { name: "renamed" } })).status).toBe(200);
    await bench.done("DELETE", branchPath(id));
    expect((await bench.api("GET", branchPath(id))).status).toBe(404);
    await bench.done("PATCH", bench.project, {
      project: { settings: { enable_logical_replication: true } },
    });
  });

  test("need the main key, and a bad request is refused with a reason", async () => {
    expect(
      (await control(bench, "branches", { prefix: "x", count: 1 }, bench.emulator.keys.project)).status,
    ).toBe(403);
    const { status, body } = await control(bench, "branches", { prefix: "x", count: 0 });
    expect([status, body.message]).toEqual([400, expect.stringContaining("count")]);
    expect((await control(bench, "branches", { projectId: "no-such", prefix: "x", count: 1 })).status).toBe(
      404,
    );
  });
});

test("makes a branch with the schema only, which has no parent and can be deleted", async () => {
  const { body } = await bench.done("POST", `${bench.project}/branches`, {
    branch: { name: "empty", init_source: "schema-only" },
    endpoints: [{ type: "read_write" }],
  });
  expect(body.branch).toMatchObject({ init_source: "schema-only" });
  expect(body.branch).not.toHaveProperty("parent_id");
  expect(await query(bench, await uriOf(body.branch.id), "SELECT count(*)::int AS n FROM t")).toEqual([
    { n: 0 },
  ]);
  await bench.done("DELETE", branchPath(body.branch.id));
});

test("keeps the annotation of a branch, and shows it with the branch and in the list", async () => {
  const annotation = { "made-by": "a test" };
  const { body } = await bench.done("POST", `${bench.project}/branches`, {
    branch: { name: "noted" },
    annotation_value: annotation,
  });
  const { id } = body.branch;
  const shown = { object: { type: "console/branch", id }, value: annotation };
  expect((await bench.api("GET", branchPath(id))).body.annotation).toEqual(shown);
  expect((await bench.api("GET", `${bench.project}/branches`)).body.annotations[id]).toEqual(shown);
  await bench.done("DELETE", branchPath(id));
});

test("deletes a branch when its time is over", async () => {
  const { body } = await bench.done("POST", `${bench.project}/branches`, { branch: { name: "short" } });
  const { id } = body.branch;
  const soon = new Date(Date.now() + 300).toISOString();
  await bench.done("PATCH", branchPath(id), { branch: { expires_at: soon } });
  expect((await bench.api("GET", branchPath(id))).body.branch.expires_at).toBe(soon);
  await sleep(400);
  expect((await bench.api("GET", branchPath(id))).status).toBe(404);
});

test.each([
  ["in the past", -1_000, 422],
  ["in more than 30 days", 31 * 86_400_000, 422],
])("refuses a branch that expires %s", async (_when, ahead, status) => {
  const expires_at = new Date(Date.now() + ahead).toISOString();
  const refused = await bench.api("POST", `${bench.project}/branches`, { branch: { expires_at } });
  expect(refused.status).toBe(status);
});

test("lets neither a default nor a protected branch expire", async () => {
  const expires_at = new Date(Date.now() + 60_000).toISOString();
  const expiring = { branch: { protected: true, expires_at } };
  expect((await bench.api("POST", `${bench.project}/branches`, expiring)).status).toBe(422);
  expect((await bench.api("PATCH", bench.branch, { branch: { expires_at } })).status).toBe(422);
});
