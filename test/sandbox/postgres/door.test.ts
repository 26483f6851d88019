import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Client } from "pg";
import type { CommitFault } from "../../../sandbox/compute";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";

const REFUSED =
  "This IP address 127.0.0.1 is not allowed to connect to this endpoint. Please add it to the allowed list in the " +
  "Neon console. Make sure to check for IPv4 or IPv6 addresses.";

let database: TestDatabase;
let refused: readonly string[] = [];
let roleFaults: CommitFault[] = [];
beforeAll(async () => {
  database = await testDatabase({
    admits: (address) => !refused.includes(address),
    roleFault: () => roleFaults.shift(),
  });
});
afterAll(async () => {
  await database.clear();
  await database.close();
});
afterEach(() => {
  refused = [];
  roleFaults = [];
});

const port = (): number => database.compute.address(database.branchId).port;

/** Everything that the socket receives until the other side closes it. */
async function everything(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  await once(socket, "close");
  return text;
}

function packet(code: number, rest = ""): Buffer {
  const content = Buffer.from(rest);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + content.length);
  head.writeInt32BE(code, 4);
  return Buffer.concat([head, content]);
}
const STARTUP = packet(196608, "user\0neondb_owner\0\0");
const GSSENC_REQUEST = packet(80877104);

test("a refused client gets Neon's message, over TLS with the server's certificate", async () => {
  refused = ["127.0.0.1"];
  await expect(runSql(database.ownerUri, "SELECT 1")).rejects.toMatchObject({
    message: REFUSED,
    severity: "ERROR",
  });
});

test("a refused client does not start the server", async () => {
  await database.compute.stop(database.branchId);
  refused = ["127.0.0.1"];
  await expect(runSql(database.ownerUri, "SELECT 1")).rejects.toThrow(REFUSED);
  expect(database.compute.isRunning(database.branchId)).toBe(false);
});

test("clients without TLS, or that request GSSAPI first, get the message too", async () => {
  refused = ["127.0.0.1"];
  const plain = connect(port(), "127.0.0.1");
  plain.write(STARTUP);
  expect(await everything(plain)).toContain(REFUSED);

  const gssapi = connect(port(), "127.0.0.1");
  gssapi.write(Buffer.concat([GSSENC_REQUEST, STARTUP]));
  expect(await everything(gssapi)).toMatch(/^NE.*This IP address/s);
});

test("clients that start TLS without a request get the message too", async () => {
  refused = ["127.0.0.1"];
  const ca = readFileSync(database.sslRootCert, "utf8");
  const tls = connectTls({ host: "localhost", port: port(), ca, ALPNProtocols: ["postgresql"] });
  await once(tls, "secureConnect");
  expect(tls.authorized).toBe(true);
  tls.write(STARTUP);
  expect(await everything(tls)).toContain(REFUSED);
});

test("accepts a startup message in single bytes, and closes on an invalid one", async () => {
  refused = ["127.0.0.1"];
  const slow = connect(port(), "127.0.0.1").setNoDelay();
  const answer = everything(slow);
  for (const byte of STARTUP) {
    slow.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  expect(await answer).toContain(REFUSED);

  const nonsense = connect(port(), "127.0.0.1");
  nonsense.write(Buffer.alloc(8));
  expect(await everything(nonsense)).toBe("");
});

test("checks new connections only, each by its own address", async () => {
  const client = new Client({ connectionString: database.ownerUri });
  await client.connect();
  refused = ["127.0.0.1"];
  await expect(client.query("SELECT 1 AS one")).resolves.toMatchObject({ rows: [{ one: 1 }] });
  await client.end();

  refused = ["127.0.0.2"];
  await expect(runSql(database.ownerUri, "SELECT 1 AS one")).resolves.toEqual([{ one: 1 }]);
});

test("tells loopback addresses apart, and the server sees the client's address", async () => {
  if (process.platform !== "linux") return; // Elsewhere 127.0.0.2 is not an address of this machine.
  const client = new Client({
    connectionString: database.ownerUri,
    // The driver connects the socket itself, without an address of its own.
    stream: () => {
      const socket = new Socket();
      const dial = socket.connect.bind(socket) as (options: object) => Socket;
      socket.connect = () => dial({ port: port(), host: "127.0.0.1", localAddress: "127.0.0.2" });
      return socket;
    },
  });
  await client.connect();
  const { rows } = await client.query("SELECT host(inet_client_addr()) AS address");
  await client.end();
  expect(rows).toEqual([{ address: "127.0.0.2" }]);
  refused = ["127.0.0.2"];
  const socket = connect({ port: port(), host: "127.0.0.1", localAddress: "127.0.0.2" });
  socket.write(STARTUP);
  expect(await everything(socket)).toContain("This IP address 127.0.0.2 is not allowed");
});

describe("a login that fails", () => {
  beforeAll(async () => {
    for (const statement of [
      "CREATE ROLE nologin PASSWORD 'secret'",
      "CREATE ROLE limited LOGIN CONNECTION LIMIT 0 PASSWORD 'secret'",
      "CREATE ROLE outside LOGIN PASSWORD 'secret'",
      "CREATE DATABASE closed",
      "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
    ])
      await runSql(database.superuserUri, statement);
  });

  test.each([
    ["neondb_owner", "wrong", "neondb", "password authentication failed for user 'neondb_owner'"],
    ["nobody", "secret", "neondb", "password authentication failed for user 'nobody'"],
    ["nologin", "secret", "neondb", 'role "nologin" is not permitted to log in'],
    ["limited", "secret", "neondb", 'too many connections for role "limited"'],
    ["outside", "secret", "closed", 'permission denied for database "closed"'],
    ["outside", "secret", "missing", 'database "missing" does not exist'],
  ])("as %s with password %s to %s has the form of Neon's proxy", async (user, password, name, message) => {
    const uri = new URL(database.ownerUri);
    [uri.username, uri.password, uri.pathname] = [user, password, name];
    const error: unknown = await runSql(uri.href, "SELECT 1").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message, severity: "ERROR", code: "XX000", detail: undefined });
  });

  test("has the proxy's own message if it does not use TLS", async () => {
    const plain = connect(port(), "127.0.0.1");
    plain.write(STARTUP);
    expect(await everything(plain)).toMatch(/^E.*SERROR\0CXX000\0Mconnection is insecure/s);
  });
});

test("leaves the errors of statements as they are", async () => {
  await expect(runSql(database.ownerUri, "SELECT 1 / 0")).rejects.toMatchObject({
    code: "22012",
    severity: "ERROR",
    routine: "int4div",
  });
});

test("passes messages of any size, in both directions", async () => {
  const text = "0123456789".repeat(300_000);
  expect(await runSql(database.ownerUri, "SELECT $1::text AS text", [text])).toEqual([{ text }]);
  expect(await runSql(database.ownerUri, `SELECT '${text}' AS text`)).toEqual([{ text }]);
});

test("passes requests to cancel a statement", async () => {
  const client = await database.connect();
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const cancelled = expect(client.query("SELECT pg_sleep(600)")).rejects.toMatchObject({ code: "57014" });
  const request = packet(80877102, "12345678");
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  while (
    (await runSql(database.superuserUri, "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
      .length === 0
  );
  connect(port(), "127.0.0.1").write(request);
  await cancelled;
});

describe("the control plane's part in statements about roles", () => {
  const REFUSAL = "Received HTTP code 500 from control plane: {}";
  const exists = async (role: string): Promise<boolean> =>
    (await runSql(database.superuserUri, "SELECT FROM pg_roles WHERE rolname = $1", [role])).length > 0;

  test("fails the COMMIT and rolls back", async () => {
    const client = await database.connect();
    roleFaults = [{ delayMs: 0, error: REFUSAL }];
    await client.query("BEGIN");
    await client.query("DO $$ BEGIN EXECUTE 'CREATE ROLE refused'; END $$");
    await client.query("SELECT 1");
    await expect(client.query("COMMIT")).rejects.toMatchObject({ message: REFUSAL, code: "XX000" });
    expect(await exists("refused")).toBe(false);
    await client.query("CREATE ROLE taken");
    expect(await exists("taken")).toBe(true);
  });

  test.each(["simple", "extended"] as const)(
    "fails a single statement of the %s protocol",
    async (protocol) => {
      const client = await database.connect();
      let prepared = 0;
      const text = `CREATE ROLE alone_${protocol}`;
      const run = () =>
        client.query(protocol === "simple" ? { text } : { text, name: `prepared_${++prepared}` });
      roleFaults = [{ delayMs: 0, error: REFUSAL }];
      await expect(run()).rejects.toMatchObject({ message: REFUSAL });
      expect(await exists(`alone_${protocol}`)).toBe(false);
      roleFaults = [{ delayMs: 0 }];
      expect((await run()).command).toBe("CREATE");
      expect(await exists(`alone_${protocol}`)).toBe(true);
      expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    },
  );

  test("holds the COMMIT back while it is slow, with the locks of the transaction", async () => {
    const client = await database.connect();
    roleFaults = [{ delayMs: 300 }];
    await client.query("CREATE TABLE held ()");
    await client.query("BEGIN; LOCK TABLE held");
    await client.query("CREATE ROLE slow");
    const started = performance.now();
    const commit = client.query("COMMIT");
    await runSql(database.superuserUri, "SELECT FROM held");
    expect(performance.now() - started).toBeGreaterThanOrEqual(290);
    await commit;
    expect(await exists("slow")).toBe(true);
  });

  test("has none in a transaction that rolls back, or in a statement that fails", async () => {
    const client = await database.connect();
    roleFaults = [{ delayMs: 0, error: REFUSAL }];
    await client.query("BEGIN");
    await client.query("CREATE ROLE undone");
    await client.query("ROLLBACK");
    await client.query("BEGIN");
    await client.query("COMMIT");
    roleFaults = [{ delayMs: 0, error: REFUSAL }];
    await expect(client.query("CREATE ROLE neondb_owner")).rejects.toMatchObject({ code: "42710" });
    expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });
});
