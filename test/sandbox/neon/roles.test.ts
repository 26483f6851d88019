import { has } from "../../support/features";
import { connect, query, startBench, type Bench } from "./harness";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ pace: 5 });
});
afterAll(async () => {
  await bench.close();
});

function uriFor(role: string, password: string): string {
  const uri = new URL(bench.emulator.ownerUri());
  uri.username = role;
  uri.password = password;
  return uri.href;
}

async function attributes(role: string) {
  const { compute, emulator } = bench;
  const [row] = await compute.sql(
    emulator.branchId,
    `SELECT rolsuper, rolcanlogin, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
            ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                   WHERE m.member = r.oid) AS groups
       FROM pg_roles r WHERE rolname = $1`,
    [role],
  );
  return row;
}

const NEON_ATTRIBUTES = {
  rolsuper: false,
  rolcreaterole: true,
  rolcreatedb: true,
  rolreplication: true,
  rolbypassrls: true,
};

test("the owner is a role of the API that owns its database", async () => {
  expect(await attributes("neondb_owner")).toEqual({
    ...NEON_ATTRIBUTES,
    rolcanlogin: true,
    groups: ["neon_superuser"],
  });
  expect(await query(bench, bench.emulator.ownerUri(), "CREATE SCHEMA mine")).toEqual([]);
  const { body } = await bench.api("GET", `${bench.branch}/databases/neondb`);
  expect(body.database).toMatchObject({ name: "neondb", owner_name: "neondb_owner" });
});

test("the owner in the profile strict is in neon_superuser too, and may create no event trigger", async () => {
  const strict = await startBench({ pace: 5, profile: "strict" });
  try {
    const own = (statement: string) => query(strict, strict.emulator.ownerUri(), statement);
    expect(
      await own(
        `SELECT pg_has_role('neon_superuser', 'MEMBER') AS member, rolsuper FROM pg_roles WHERE rolname = current_user`,
      ),
    ).toEqual([{ member: true, rolsuper: false }]);
    await own("CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
    await expect(
      own("CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION on_ddl()"),
    ).rejects.toThrow("permission denied to create event trigger");
  } finally {
    await strict.close();
  }
});

test("a role of the API has Neon's attributes and can log in; connections drop", async () => {
  const client = await connect(bench, bench.emulator.ownerUri());
  const { status, body } = await bench.done("POST", `${bench.branch}/roles`, { role: { name: "api_role" } });
  expect(status).toBe(201);
  expect(body.role).toMatchObject({ name: "api_role", protected: false, authentication_method: "password" });
  expect(body.role.password).toMatch(/^npg_\w{16}$/);
  expect(body.operations.map(({ action, status: at }) => [action, at])).toEqual([
    ["apply_config", "running"],
  ]);
  expect(await attributes("api_role")).toEqual({
    ...NEON_ATTRIBUTES,
    rolcanlogin: true,
    groups: ["neon_superuser"],
  });
  await expect(client.query("SELECT 1")).rejects.toThrow();

  const rows = await query(bench, uriFor("api_role", body.role.password ?? ""), "SELECT current_user AS me");
  expect(rows).toEqual([{ me: "api_role" }]);
  const revealed = await bench.api("GET", `${bench.branch}/roles/api_role/reveal_password`);
  expect(revealed.body).toEqual({ password: body.role.password });

  // Neon's cloud_admin makes these roles, so the owner has no ADMIN OPTION on them. Before PostgreSQL 16, nobody but a
  // superuser changes a role with REPLICATION.
  await expect(query(bench, bench.emulator.ownerUri(), "ALTER ROLE api_role NOLOGIN")).rejects.toThrow(
    has("owner that makes Bemi's role in SQL")
      ? "permission denied to alter role"
      : "must be superuser to alter replication roles",
  );
});

test("a role does not exist before its operation has run", async () => {
  const { body } = await bench.api("POST", `${bench.branch}/roles`, { role: { name: "too_early" } });
  await expect(query(bench, uriFor("too_early", body.role.password ?? ""), "SELECT 1")).rejects.toThrow();
  const { body: listed } = await bench.api("GET", `${bench.branch}/roles`);
  expect(listed.roles.map(({ name }) => name)).toContain("too_early");
  await bench.emulator.settled();
  expect(await attributes("too_early")).toBeDefined();
});

test("no_login makes a role that cannot log in and has no password", async () => {
  const { body } = await bench.done("POST", `${bench.branch}/roles`, {
    role: { name: "group_role", no_login: true },
  });
  expect(body.role).toMatchObject({ authentication_method: "no_login" });
  expect(body.role).not.toHaveProperty("password");
  expect(await attributes("group_role")).toMatchObject({ rolcanlogin: false });
  const { status } = await bench.api("GET", `${bench.branch}/roles/group_role/reveal_password`);
  expect(status).toBe(412);
});

test.each([
  ["pg_reader", 422],
  ["neon_superuser", 422],
  ["cloud_admin", 422],
  ["public", 422],
  ["ü".repeat(32), 422],
  ["", 422],
  ["neondb_owner", 409],
])("the role name %p answers %d", async (name, expected) => {
  const { status, body } = await bench.api("POST", `${bench.branch}/roles`, { role: { name } });
  expect([status, typeof body.message, body.code]).toEqual([expected, "string", ""]);
});

test("a body of another shape answers 400 and names the field", async () => {
  const { status, body } = await bench.api("POST", `${bench.branch}/roles`, { role: { nom: "x" } });
  expect(status).toBe(400);
  expect(body.message).toContain("role.name");
});

test("creates, changes and deletes a role whose name needs quoting", async () => {
  const name = `o'Brien "x" %/1`;
  const path = `${bench.branch}/roles/${encodeURIComponent(name)}`;
  await bench.done("POST", `${bench.branch}/roles`, { role: { name } });
  expect((await bench.api("GET", path)).body.role.name).toBe(name);
  await bench.done("POST", `${path}/reset_password`);
  await bench.done("DELETE", path);
  expect((await bench.api("GET", path)).status).toBe(404);
});

test("shows roles made in SQL, without knowing their passwords", async () => {
  const owner = bench.emulator.ownerUri();
  await query(bench, owner, "CREATE ROLE sql_role LOGIN PASSWORD 'Str0ng-and-l0ng-en0ugh'");
  const { body } = await bench.api("GET", `${bench.branch}/roles/sql_role`);
  expect(body.role).toMatchObject({ name: "sql_role", authentication_method: "password" });
  const revealed = await bench.api("GET", `${bench.branch}/roles/sql_role/reveal_password`);
  expect(revealed.status).toBe(412);
  await query(bench, owner, "DROP ROLE sql_role");
  expect((await bench.api("GET", `${bench.branch}/roles/sql_role`)).status).toBe(404);
});

test("does not reveal a password that was changed in SQL", async () => {
  const { body } = await bench.done("POST", `${bench.branch}/roles`, { role: { name: "changer" } });
  const uri = uriFor("changer", body.role.password ?? "");
  const change = "ALTER ROLE changer PASSWORD 'An0ther-l0ng-passw0rd'";
  if (has("owner that makes Bemi's role in SQL")) await query(bench, uri, change);
  else await bench.compute.sql(bench.emulator.branchId, change);
  const path = `${bench.branch}/roles/changer`;
  expect((await bench.api("GET", `${path}/reveal_password`)).status).toBe(412);
  const { body: fresh } = await bench.done("POST", `${path}/reset_password`);
  expect((await bench.api("GET", `${path}/reveal_password`)).body.password).toBe(fresh.role.password);
  expect(await query(bench, uriFor("changer", fresh.role.password ?? ""), "SELECT 1 AS one")).toHaveLength(1);
});

test("reset_password takes effect when its operation ends, and drops connections", async () => {
  const { body } = await bench.done("POST", `${bench.branch}/roles`, { role: { name: "resetting" } });
  const oldUri = uriFor("resetting", body.role.password ?? "");
  const client = await connect(bench, oldUri);
  const { body: fresh } = await bench.api("POST", `${bench.branch}/roles/resetting/reset_password`);
  expect(fresh.role.password).not.toBe(body.role.password);
  await query(bench, oldUri, "SELECT 1");
  await bench.emulator.settled();
  await expect(query(bench, oldUri, "SELECT 1")).rejects.toThrow("password authentication failed");
  await expect(client.query("SELECT 1")).rejects.toThrow();
  await query(bench, uriFor("resetting", fresh.role.password ?? ""), "SELECT 1");
});

test("deleting a role reassigns its objects to the database's owner; again answers 204", async () => {
  const { compute, emulator } = bench;
  const { body } = await bench.done("POST", `${bench.branch}/roles`, { role: { name: "leaver" } });
  await query(
    bench,
    uriFor("leaver", body.role.password ?? ""),
    "CREATE SCHEMA left_behind; CREATE PUBLICATION left_pub",
  );
  const { status } = await bench.done("DELETE", `${bench.branch}/roles/leaver`);
  expect(status).toBe(200);
  expect(await attributes("leaver")).toBeUndefined();
  expect(
    await compute.sql(
      emulator.branchId,
      `SELECT pg_get_userbyid(nspowner) AS schema_owner,
              (SELECT pg_get_userbyid(pubowner) FROM pg_publication WHERE pubname = 'left_pub') AS publication_owner
         FROM pg_namespace WHERE nspname = 'left_behind'`,
      [],
      "neondb",
    ),
  ).toEqual([{ schema_owner: "neondb_owner", publication_owner: "neondb_owner" }]);
  expect((await bench.api("DELETE", `${bench.branch}/roles/leaver`)).status).toBe(204);
});

test("refuses to delete a role that owns a database", async () => {
  const { status, body } = await bench.api("DELETE", `${bench.branch}/roles/neondb_owner`);
  expect(status).toBe(422);
  expect(body.message).toContain("neondb");
});

test("makes a database once for its owner, and drops it with its connections", async () => {
  const wanted = { database: { name: "second", owner_name: "neondb_owner" } };
  expect((await bench.done("POST", `${bench.branch}/databases`, wanted)).status).toBe(201);
  expect((await bench.api("POST", `${bench.branch}/databases`, wanted)).status).toBe(409);
  const client = await connect(bench, bench.emulator.ownerUri(), "second");
  const { status } = await bench.done("DELETE", `${bench.branch}/databases/second`);
  expect(status).toBe(200);
  await expect(client.query("SELECT 1")).rejects.toThrow();
  expect((await bench.api("DELETE", `${bench.branch}/databases/second`)).status).toBe(204);
  const unknown = { database: { name: "third", owner_name: "nobody" } };
  expect((await bench.api("POST", `${bench.branch}/databases`, unknown)).status).toBe(404);
});

test("starts an idle compute for a change and suspends it again, but not for a list", async () => {
  const { compute, emulator } = bench;
  await query(bench, emulator.ownerUri(), "CREATE ROLE made_before_sleep");
  const endpoint = `${bench.project}/endpoints/${emulator.endpointId}`;
  await bench.done("POST", `${endpoint}/suspend`);
  expect(compute.isRunning(emulator.branchId)).toBe(false);
  const { body } = await bench.api("GET", `${bench.branch}/roles`);
  expect(body.roles.map(({ name }) => name)).toContain("made_before_sleep");
  expect((await bench.api("GET", endpoint)).body.endpoint.current_state).toBe("idle");
  expect(compute.isRunning(emulator.branchId)).toBe(false);

  const { body: made } = await bench.done("POST", `${bench.branch}/roles`, { role: { name: "night_role" } });
  expect(made.operations.map(({ action, status }) => [action, status])).toEqual([
    ["apply_config", "running"],
    ["suspend_compute", "scheduling"],
  ]);
  expect(compute.isRunning(emulator.branchId)).toBe(false);
  expect(await attributes("night_role")).toBeDefined();
});
