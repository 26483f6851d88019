import { allRoutes } from "../../../sandbox/neon/routes";
import { DEFAULT_VERSION } from "../../support/postgres";
import { violations } from "../../support/openapi";
import { startBench, type Bench } from "./harness";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ pace: 5 });
});
afterAll(async () => {
  await bench.close();
});

/** Sends requests to every route. All of them must succeed. */
async function wellFormedRun(): Promise<void> {
  const { done, project, branch, emulator } = bench;
  await done("GET", "/users/me");
  const [organization] = (await done("GET", "/users/me/organizations")).body.organizations;
  await done("GET", `/projects?limit=2&org_id=${organization?.id}`);
  await done("GET", "/projects/shared?limit=100");
  await done("GET", project);
  await done("GET", `${project}/branches?search=ma&sort_by=name&sort_order=asc&limit=1`);
  await done("GET", branch);
  await done("GET", `${branch}/endpoints`);
  await done("GET", `${project}/endpoints`);
  const endpoint = `${project}/endpoints/${emulator.endpointId}`;
  await done("GET", endpoint);

  await done("PATCH", project, {
    project: {
      name: "orders",
      settings: { allowed_ips: { ips: ["203.0.113.7"], protected_branches_only: true } },
    },
  });
  await done("PATCH", project, { project: { settings: { enable_logical_replication: true } } });

  await done("POST", `${branch}/roles`, { role: { name: "bemi" } });
  await done("POST", `${branch}/roles`, { role: { name: "group", no_login: true } });
  await done("GET", `${branch}/roles`);
  await done("GET", `${branch}/roles/bemi`);
  await done("GET", `${branch}/roles/bemi/reveal_password`);
  await done("POST", `${branch}/roles/bemi/reset_password`);
  await done("POST", `${branch}/databases`, { database: { name: "second", owner_name: "neondb_owner" } });
  await done("GET", `${branch}/databases`);
  await done("GET", `${branch}/databases/second`);
  await done(
    "GET",
    `${project}/connection_uri?database_name=second&role_name=bemi&branch_id=${emulator.branchId}` +
      `&endpoint_id=${emulator.endpointId}&pooled=false`,
  );
  await done("DELETE", `${branch}/databases/second`);
  await done("DELETE", `${branch}/databases/second`);
  await done("DELETE", `${branch}/roles/bemi`);
  await done("DELETE", `${branch}/roles/bemi`);

  await done("POST", `${endpoint}/suspend`);
  await done("POST", `${endpoint}/start`);
  await done("POST", `${endpoint}/restart`);
  await done("PATCH", endpoint, { endpoint: { suspend_timeout_seconds: 300 } });

  await done("POST", `${project}/branches`);
  const { body } = await done("POST", `${project}/branches`, {
    branch: { name: "copy", expires_at: new Date(Date.now() + 86_400_000).toISOString() },
    endpoints: [{ type: "read_write" }],
    annotation_value: { "github-commit-ref": "main" },
  });
  const copy = `${project}/branches/${body.branch.id}`;
  await done("PATCH", copy, { branch: { name: "renamed", protected: true, expires_at: null } });
  await done("PATCH", copy, { branch: { protected: false } });
  await done("POST", `${copy}/set_as_default`);
  await done("POST", `${branch}/set_as_default`);
  await done("DELETE", `${project}/endpoints/${body.endpoints[0]?.id}`);
  await done("POST", `${project}/endpoints`, { endpoint: { branch_id: body.branch.id, type: "read_write" } });
  await done("DELETE", copy);
  await done("DELETE", copy);

  const { body: made } = await done("POST", "/projects", {
    project: { name: "another", pg_version: DEFAULT_VERSION },
  });
  await done("DELETE", `/projects/${made.project.id}`);
  const { body: list } = await done("GET", `${project}/operations?limit=3`);
  await done("GET", `${project}/operations?limit=1000&cursor=${list.pagination?.cursor}`);
}

/** Sends well-formed requests that must be refused, at least one for every status. */
async function refusedRun(): Promise<void> {
  const { api, project, branch, emulator } = bench;
  const enable = { project: { settings: { enable_logical_replication: true } } };
  const statuses = [
    await api("GET", project, undefined, null),
    await api("PATCH", project, enable, emulator.keys.readOnly),
    await api("GET", "/projects/no-such-12345678"),
    await api("POST", `${branch}/roles`, { role: { name: "neondb_owner" } }),
    await api("POST", `${branch}/roles`, { role: { name: "pg_nope" } }),
    await api("GET", `${branch}/roles/group/reveal_password`),
    await api("PATCH", project, { project: { settings: { enable_logical_replication: false } } }),
    await api("POST", `${branch}/roles`, { role: { name: "first" } }),
    await api("POST", `${branch}/roles`, { role: { name: "second" } }),
  ].map(({ status }) => status);
  await emulator.settled();
  expect(statuses).toEqual([401, 403, 404, 409, 422, 412, 400, 201, 423]);
  emulator.setFaults({
    faults: [429, 500, 503].map((status) => ({
      method: "GET",
      route: "*",
      fault: { kind: "answer", status, retryAfter: { seconds: 1 } },
    })),
  });
  await api("GET", project);
  emulator.setFaults({ faults: [] });
}

test("conforms to Neon's OpenAPI document in every request and answer, on all routes", async () => {
  await wellFormedRun();
  await refusedRun();
  const log = bench.log();
  const found = log.flatMap((exchange) => {
    const { request, response } = violations(exchange);
    return [...request, ...response];
  });
  expect([...new Set(found)]).toEqual([]);
  expect(JSON.stringify(log)).not.toMatch(/npg_|napi_/);

  const seen = log.map(({ method, path }) => `${method} ${path}`);
  const [organization] = (await bench.api("GET", "/users/me/organizations")).body.organizations;
  if (organization === undefined) throw new Error("There is no organization.");
  const { compute, emulator } = bench;
  const routes = allRoutes({
    compute,
    organization,
    pace: 1,
    keys: emulator.keys,
    projects: new Map(),
    projectOfKey: emulator.projectId,
  });
  const unseen = routes.filter(({ method, path }) => {
    const pattern = new RegExp(`^${method} ${path.replace(/\{\w+\}/g, "[^/]+")}$`);
    return !seen.some((exchange) => pattern.test(exchange));
  });
  expect(unseen.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
});
