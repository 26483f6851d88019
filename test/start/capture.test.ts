import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { discrepancies, type Change } from "../../tools/start/changes";
import { startConsumer, type Consumer } from "../../tools/start/consumer";
import { Recorder } from "../../tools/start/recorder";
import { has, WITH_GENERATED_COLUMNS } from "../support/features";
import { runSql, testDatabase, type TestDatabase } from "../support/postgres";

const SCHEMA = `
  CREATE TABLE orders (id int PRIMARY KEY, total numeric(20, 10), placed timestamptz, doubled numeric GENERATED ALWAYS AS (total * 2) STORED);
  CREATE TABLE clicks (url text, at timestamptz);
  CREATE TABLE notes (id int, part text, body text, PRIMARY KEY (part, id));
  CREATE TABLE "Mixed Case" ("Id" int PRIMARY KEY, "Full ""Name""" text);
  CREATE TABLE events (id int, year int, kind text) PARTITION BY LIST (year);
  CREATE TABLE events_2024 PARTITION OF events FOR VALUES IN (2024);
  CREATE TABLE events_2025 PARTITION OF events FOR VALUES IN (2025);
  CREATE TABLE keyed (id int PRIMARY KEY, name text);
  ALTER TABLE orders REPLICA IDENTITY FULL;
  ALTER TABLE clicks REPLICA IDENTITY FULL;
  ALTER TABLE notes REPLICA IDENTITY FULL;
  ALTER TABLE "Mixed Case" REPLICA IDENTITY FULL;
  ALTER TABLE events REPLICA IDENTITY FULL;
  ALTER TABLE events_2024 REPLICA IDENTITY FULL;
  ALTER TABLE events_2025 REPLICA IDENTITY FULL;
  CREATE PUBLICATION bemi FOR TABLE orders, clicks, notes, "Mixed Case", events, keyed${WITH_GENERATED_COLUMNS};
`;

let database: TestDatabase;
let owner: Client;

beforeAll(async () => {
  database = await testDatabase({ sql: SCHEMA, admits: (address) => address !== "127.0.0.9" });
  await runSql(
    database.superuserUri,
    "CREATE ROLE bemi LOGIN REPLICATION PASSWORD 'Sup3r-secret'; ALTER ROLE bemi SET default_transaction_read_only = on",
  );
  owner = new Client({ connectionString: database.ownerUri });
  await owner.connect();
});

afterAll(async () => {
  await owner.end();
  await database.close();
});

function connect(
  overrides: { password?: string; localAddress?: string; publication?: string } = {},
): Promise<Consumer> {
  const { hostname, port, pathname } = new URL(database.ownerUri);
  return startConsumer({
    connection: {
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      username: "bemi",
      password: overrides.password ?? "Sup3r-secret",
    },
    publication: overrides.publication ?? "bemi",
    slot: "bemi",
    sslRootCert: database.sslRootCert,
    localAddress: overrides.localAddress,
  });
}

async function capture(work: (recorder: Recorder) => Promise<void>): Promise<[Recorder, readonly Change[]]> {
  const consumer = await connect();
  try {
    const recorder = new Recorder(owner);
    await work(recorder);
    const lastWord = randomUUID();
    await owner.query("SELECT pg_logical_emit_message(true, 'test', $1)", [lastWord]);
    await consumer.reached(lastWord, 20_000);
    return [recorder, consumer.changes];
  } finally {
    await consumer.stop();
  }
}

describe("the captured changes", () => {
  it("equal the application's writes, on every kind of table and in every column", async () => {
    const big = Array.from({ length: 4000 }, (_, index) => `word${index}`).join(" ");
    const [{ writes }, changes] = await capture(async (app) => {
      await app.insert(["public", "orders"], {
        id: 1,
        total: "12345678.1234567891",
        placed: "2025-03-01 10:00:00.123456+00",
      });
      await app.update(["public", "orders"], { id: 1 }, { total: null });
      await app.insert(["public", "clicks"], { url: "/", at: null });
      await app.update(["public", "clicks"], { url: "/" }, { at: "2025-03-01 10:00:00+00" });
      await app.remove(["public", "clicks"], { url: "/" });
      await app.insert(["public", "notes"], { id: 7, part: "b", body: big });
      await app.update(["public", "notes"], { id: 7 }, { part: "c" });
      await app.remove(["public", "notes"], { id: 7 });
      await app.insert(["public", "Mixed Case"], { Id: 1, 'Full "Name"': "Ada" });
      await app.update(["public", "Mixed Case"], { Id: 1 }, { 'Full "Name"': "Grace" });
      await app.insert(["public", "events"], { id: 1, year: 2025, kind: "login" });
      await app.update(["public", "events"], { id: 1 }, { kind: "logout" });
    });
    expect(writes).toHaveLength(12);
    expect(discrepancies(writes, changes)).toEqual([]);
    expect(changes.map(({ table, operation }) => `${operation} ${table}`)).toEqual(
      writes.map(({ table, operation }) => `${operation} ${table}`),
    );
    expect(changes.at(-1)).toMatchObject({
      table: "public.events_2025",
      before: { kind: "login" },
      after: { kind: "logout" },
    });
    expect(changes[1]).toMatchObject({
      key: ["id"],
      before: { total: "12345678.1234567891", placed: "2025-03-01 10:00:00.123456+00" },
      after: { total: null },
    });
    expect(changes.find(({ table }) => table === "public.notes")?.key).toEqual(["part", "id"]);
    expect(changes.find(({ table }) => table === "public.clicks")?.key).toEqual([]);
    expect(Math.abs(Date.now() - (changes[0]?.time.getTime() ?? 0))).toBeLessThan(3_600_000);
  });

  it("lack the row before where the replica identity is not FULL", async () => {
    const [{ writes }, changes] = await capture(async (app) => {
      await app.insert(["public", "keyed"], { id: 1, name: "a" });
      await app.update(["public", "keyed"], { id: 1 }, { name: "b" });
      await app.remove(["public", "keyed"], { id: 1 });
    });
    expect(discrepancies(writes, changes)).toEqual([
      "Update in public.keyed: the row before is missing",
      "Delete in public.keyed: the row before is missing",
    ]);
  });

  it("include a TRUNCATE", async () => {
    const [, changes] = await capture(async () => {
      await owner.query("TRUNCATE keyed");
    });
    expect(changes).toMatchObject([{ operation: "Truncate", table: "public.keyed" }]);
  });

  it("do not arrive again once they are acknowledged", async () => {
    const [, changes] = await capture(async (app) => {
      await app.insert(["public", "orders"], { id: 50, total: 1, placed: null });
    });
    expect(changes.map(({ after }) => after?.["id"])).toEqual(["50"]);
  });
});

describe("the consumer", () => {
  it("reaches a message when its whole transaction has arrived, and only once", async () => {
    const ids = async (): Promise<readonly (string | null | undefined)[]> => {
      const consumer = await connect();
      try {
        await consumer.reached(lastWord, 20_000);
        return consumer.changes.map(({ after }) => after?.["id"]);
      } finally {
        await consumer.stop();
      }
    };
    let lastWord = "first of the transaction";
    await owner.query("BEGIN");
    await owner.query("SELECT pg_logical_emit_message(true, 'test', $1)", [lastWord]);
    await owner.query("INSERT INTO keyed SELECT 1000 + i FROM generate_series(1, 5000) i");
    await owner.query("COMMIT");
    expect(await ids()).toHaveLength(5000);

    lastWord = "another";
    await owner.query("SELECT pg_logical_emit_message(true, 'test', $1)", [lastWord]);
    expect(await ids()).toEqual([]);
  });

  it("leaves an inactive slot when it stops", async () => {
    const consumer = await connect();
    const active = "SELECT active FROM pg_replication_slots WHERE slot_name = 'bemi'";
    expect(await runSql(database.superuserUri, active)).toEqual([{ active: true }]);
    await consumer.stop();
    expect(await runSql(database.superuserUri, active)).toEqual([{ active: false }]);
  });

  it("reports a wrong password", async () => {
    await expect(connect({ password: "wrong" })).rejects.toThrow(/password authentication failed/);
  });

  it("connects from the given address", async () => {
    await expect(connect({ localAddress: "127.0.0.9" })).rejects.toThrow(/127\.0\.0\.9/);
    await (await connect({ localAddress: "127.0.0.8" })).stop();
  });

  it("reports a broken stream to the caller that waits", async () => {
    const consumer = await connect();
    const waiting = consumer.reached("never", 20_000);
    await runSql(
      database.superuserUri,
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'bemi'",
    );
    await expect(waiting).rejects.toThrow(/Bemi's stream broke: .*terminat/);
    await consumer.stop();
  });

  it("reports a message that does not arrive in time", async () => {
    const consumer = await connect();
    await expect(consumer.reached("never", 100)).rejects.toThrow(/did not catch up .* within 0.1 s/);
    await consumer.stop();
  });

  it("reports a publication that does not exist, at the first change", async () => {
    const consumer = await connect({ publication: "nowhere" });
    await owner.query("INSERT INTO keyed VALUES (99, 'x')");
    // From PostgreSQL 18 on, only the server's log says so.
    const [patience, message] = has("streams that pass over a missing publication")
      ? [2_000, /did not catch up .* within 2 s/]
      : [20_000, /publication "nowhere" does not exist/];
    await expect(consumer.reached("never", patience)).rejects.toThrow(message);
    await consumer.stop();
  });
});
