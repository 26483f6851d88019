import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { DEFAULT_VERSION, runSql, testDatabase, type TestDatabase } from "../../support/postgres";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ profile: "strict", walLevel: "replica", settings: { work_mem: "5MB" } });
});
afterAll(async () => {
  await database.close();
});

/** The owner's credentials without the URI's TLS options, for tests that choose their own. */
function owner(): { user: string; password: string; host: string; port: number; database: string } {
  const uri = new URL(database.ownerUri);
  const { username: user, password, hostname: host, port } = uri;
  return { user, password, host, port: Number(port), database: "neondb" };
}

async function connected(config: ConstructorParameters<typeof Client>[0]): Promise<Client> {
  const client = new Client(config);
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

describe("logging in", () => {
  test("works over TLS verified against the CA, with channel binding", async () => {
    const ca = readFileSync(database.sslRootCert, "utf8");
    const client = await connected({ ...owner(), ssl: { ca }, enableChannelBinding: true });
    const { rows } = await client.query(
      "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    await client.end();
    expect(rows).toEqual([{ current_user: "neondb_owner", ssl: true }]);
    expect(readFileSync(database.serverLog, "utf8")).toMatch(/connection authorized: user=neondb_owner/);
  });

  test("fails without the CA, without TLS, and with a wrong password", async () => {
    await expect(connected({ ...owner(), ssl: true })).rejects.toThrow(/certificate/);
    await expect(connected(owner())).rejects.toThrow(/connection is insecure/);
    const wrong = database.ownerUri.replace(/owner:\w+@/, "owner:wrong@");
    await expect(connected({ connectionString: wrong })).rejects.toThrow(/password authentication failed/);
  });

  test("shows the server the client's own address", async () => {
    const rows = await runSql(database.ownerUri, "SELECT host(inet_client_addr()) AS address");
    expect(rows).toEqual([{ address: "127.0.0.1" }]);
  });

  test("the superuser comes straight to the server", async () => {
    const rows = await runSql(
      database.superuserUri,
      "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user",
    );
    expect(rows).toEqual([{ current_user: "cloud_admin", rolsuper: true }]);
    expect(new URL(database.superuserUri).port).not.toBe(new URL(database.ownerUri).port);
  });
});

describe("a new server", () => {
  test("has Neon's group role with its attributes and memberships", async () => {
    const [role] = await runSql<{ memberships: string[] }>(
      database.superuserUri,
      `SELECT rolcanlogin, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolsuper,
              ARRAY(SELECT roleid::regrole::text || CASE WHEN admin_option THEN ' with admin' ELSE '' END
                    FROM pg_auth_members WHERE member = pg_roles.oid ORDER BY 1) AS memberships
       FROM pg_roles WHERE rolname = 'neon_superuser'`,
    );
    expect(role).toEqual({
      rolcanlogin: false,
      rolcreaterole: true,
      rolcreatedb: true,
      rolreplication: true,
      rolbypassrls: true,
      rolsuper: false,
      memberships: [
        // Roles of PostgreSQL itself that came with a later version.
        ...(DEFAULT_VERSION < 16 ? [] : ["pg_create_subscription"]),
        ...(DEFAULT_VERSION < 17 ? [] : ["pg_maintain"]),
        "pg_monitor with admin",
        "pg_read_all_data",
        ...(DEFAULT_VERSION < 18 ? [] : ["pg_signal_autovacuum_worker"]),
        "pg_signal_backend with admin",
        "pg_write_all_data",
      ],
    });
  });

  test("has Neon's limits, the given settings and PostgreSQL's durability", async () => {
    const rows = await runSql<{ name: string; setting: string }>(
      database.ownerUri,
      `SELECT name, setting FROM pg_settings
       WHERE name IN ('max_wal_senders', 'max_replication_slots', 'wal_level', 'fsync', 'work_mem') ORDER BY name`,
    );
    expect(rows.map(({ name, setting }) => `${name}=${setting}`)).toEqual([
      "fsync=on",
      "max_replication_slots=10",
      "max_wal_senders=10",
      "wal_level=replica",
      "work_mem=5120",
    ]);
  });

  test("gives the owner of the strict profile no rights of a superuser", async () => {
    await expect(runSql(database.ownerUri, "CREATE PUBLICATION everything FOR ALL TABLES")).rejects.toThrow(
      /must be superuser/,
    );
    await expect(
      runSql(
        database.ownerUri,
        `CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
         CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()`,
      ),
    ).rejects.toThrow(/must be superuser|permission denied to create event trigger/i);
    expect(await runSql(database.ownerUri, "SELECT FROM pg_event_trigger")).toEqual([]);
  });
});

describe("restarting", () => {
  test("into wal_level logical drops connections and keeps port and data", async () => {
    const { compute, branchId } = database;
    await runSql(database.ownerUri, "CREATE TABLE kept AS SELECT 1 AS id");
    const { port } = compute.address(branchId);
    const client = await connected({ connectionString: database.ownerUri });
    const dropped = new Promise((resolve) => client.once("end", resolve));

    compute.setWalLevel(branchId, "logical");
    await compute.stop(branchId);
    await dropped;
    expect(compute.isRunning(branchId)).toBe(false);
    await compute.start(branchId);

    expect(compute.isRunning(branchId)).toBe(true);
    expect(compute.address(branchId).port).toBe(port);
    const [row] = await runSql(
      database.ownerUri,
      "SELECT id, current_setting('wal_level') AS level FROM kept",
    );
    expect(row).toEqual({ id: 1, level: "logical" });
  });

  test("a client starts a stopped server, also several clients at once", async () => {
    const { compute, branchId } = database;
    await compute.stop(branchId);
    const rows = await Promise.all([1, 2, 3].map(() => runSql(database.ownerUri, "SELECT 1 AS one")));
    expect(rows).toEqual([[{ one: 1 }], [{ one: 1 }], [{ one: 1 }]]);
  });

  test("the next client starts a crashed server", async () => {
    const { compute, branchId } = database;
    const [postmaster] = await runSql<{ pid: number }>(
      database.superuserUri,
      "SELECT (regexp_match(pg_read_file('postmaster.pid'), '^\\d+'))[1]::int AS pid",
    );
    process.kill(postmaster?.pid ?? NaN, "SIGQUIT");
    while (compute.isRunning(branchId)) await sleep(10);
    const rows = await runSql(database.ownerUri, "SELECT id FROM kept");
    expect(rows).toEqual([{ id: 1 }]);
    expect(compute.isRunning(branchId)).toBe(true);
  });

  test("dropConnections ends all connections except the superuser's", async () => {
    const client = await connected({ connectionString: database.ownerUri });
    const superuser = await connected({ connectionString: database.superuserUri });
    const dropped = new Promise((resolve) => client.once("end", resolve));
    await database.compute.dropConnections(database.branchId);
    await dropped;
    await expect(superuser.query("SELECT 1")).resolves.toBeDefined();
    await superuser.end();
  });
});
