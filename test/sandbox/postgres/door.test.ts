import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Client } from "pg";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";

const REFUSED =
  "This IP address 127.0.0.1 is not allowed to connect to this endpoint. Please add it to the allowed list in the " +
  "Neon console. Make sure to check for IPv4 or IPv6 addresses.";

let database: TestDatabase;
let refused: readonly string[] = [];
beforeAll(async () => {
  database = await testDatabase({ admits: (address) => !refused.includes(address) });
});
afterAll(async () => {
  await database.close();
});
afterEach(() => {
  refused = [];
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
const SSL_REQUEST = packet(80877103);
const GSSENC_REQUEST = packet(80877104);

test("a refused client gets Neon's message, over TLS with the server's certificate", async () => {
  refused = ["127.0.0.1"];
  await expect(runSql(database.ownerUri, "SELECT 1")).rejects.toMatchObject({
    message: REFUSED,
    severity: "FATAL",
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
  const from = (localAddress: string): Promise<string> => {
    const socket = connect({ port: port(), host: "127.0.0.1", localAddress });
    socket.write(SSL_REQUEST);
    return once(socket, "data").then(([data]) => {
      socket.destroy();
      return String(data);
    });
  };
  expect(await from("127.0.0.2")).toBe("S");
  expect(readFileSync(database.serverLog, "utf8")).toContain("connection received: host=127.0.0.2");
  refused = ["127.0.0.2"];
  const socket = connect({ port: port(), host: "127.0.0.1", localAddress: "127.0.0.2" });
  socket.write(STARTUP);
  expect(await everything(socket)).toContain("This IP address 127.0.0.2 is not allowed");
});
