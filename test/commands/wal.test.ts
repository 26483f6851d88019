import type { Client } from "pg";
import { readStatistics } from "../../commands/plan/statisticsQuery";
import type { TableStatistics } from "../../report/plan/statistics";
import { walBytes, type Logging } from "../../report/plan/wal";
import { testDatabase, type TestDatabase } from "../support/postgres";

/** How far the estimate may be from what the server writes, up or down. */
const WITHIN = 1.5;
const ROWS = 2000;

/** A table, and the application's UPDATE. */
interface Kind {
  readonly columns: string;
  /** The values of a row. */
  readonly values: string;
  readonly update: string;
  /** What it logs of the row before with the replica identity that it has. */
  readonly before: Logging["before"];
}

/** Text of so many bytes. The columns for large ones are not compressed. */
const text = (bytes: number): string => `repeat(md5(i::text), ${Math.ceil(bytes / 32)})`;

const KINDS: Readonly<Record<string, Kind>> = {
  narrow: {
    columns: "id int PRIMARY KEY, n int, at timestamptz",
    values: "i, i, now()",
    update: "n = n + 1",
    before: "key",
  },
  "wide in line": {
    columns: "id int PRIMARY KEY, n int, body text",
    values: `i, i, ${text(1000)}`,
    update: "n = n + 1",
    before: "key",
  },
  "large out of line, not updated": {
    columns: "id int PRIMARY KEY, n int, body text",
    values: `i, i, ${text(9000)}`,
    update: "n = n + 1",
    before: "key",
  },
  "large out of line, updated": {
    columns: "id int PRIMARY KEY, n int, body text",
    values: `i, i, ${text(9000)}`,
    update: `body = reverse(body)`,
    before: "key",
  },
  "without a key": {
    columns: "a text, n int, b text",
    values: `${text(100)}, i, ${text(200)}`,
    update: "n = n + 1",
    before: "nothing",
  },
};

let db: TestDatabase;
beforeAll(async () => {
  // As on Neon, which writes no full-page images. Without autovacuum, only the test's own changes are measured.
  db = await testDatabase({ settings: { full_page_writes: "off", autovacuum: "off" } });
});
afterEach(async () => {
  await db.clear();
});
afterAll(async () => {
  await db.close();
});

/** Updates all rows and deletes a tenth of them. Returns what was counted, and the bytes that the server wrote. */
async function measured(
  client: Client,
  { update }: Kind,
): Promise<{ bytes: number; statistics: TableStatistics }> {
  const read = { read: async <Row extends object>(sql: string) => (await client.query<Row>(sql)).rows };
  const flushed = async (): Promise<TableStatistics> => {
    await client.query("SELECT pg_stat_force_next_flush()");
    const [table] = [...(await readStatistics(read)).tables.values()];
    if (table === undefined) throw new Error("there is no table");
    return table;
  };
  // The first round leaves room for new row versions, as in a table that is in use.
  await client.query(`UPDATE measured SET ${update}`);
  await flushed();
  await client.query("VACUUM ANALYZE measured");
  const before = await flushed();
  const { rows } = await client.query<{ lsn: string }>("SELECT pg_current_wal_insert_lsn() AS lsn");
  await client.query(`UPDATE measured SET ${update}`);
  await client.query(`DELETE FROM measured WHERE n % 10 = 0`);
  const wal = await client.query<{ bytes: number }>(
    "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)::float8 AS bytes",
    [rows[0]?.lsn],
  );
  const after = await flushed();
  const counted = (name: "inserts" | "updates" | "hotUpdates" | "deletes" | "pieceDeletes") =>
    after[name] - before[name];
  return {
    bytes: wal.rows[0]?.bytes ?? 0,
    statistics: {
      ...before,
      inserts: counted("inserts"),
      updates: counted("updates"),
      hotUpdates: counted("hotUpdates"),
      deletes: counted("deletes"),
      pieceDeletes: counted("pieceDeletes"),
    },
  };
}

/** The estimate in proportion to what the server writes. */
async function estimateOf(client: Client, kind: Kind, logging: Logging): Promise<number> {
  const { bytes, statistics } = await measured(client, kind);
  const { inlineBytes } = statistics;
  if (inlineBytes === null) throw new Error("ANALYZE has left no widths");
  return walBytes({ ...statistics, inlineBytes }, logging) / bytes;
}

async function newTable({ columns, values }: Kind): Promise<Client> {
  const client = await db.connect();
  await client.query(`CREATE TABLE measured (${columns})`);
  if (columns.includes("body")) await client.query("ALTER TABLE measured ALTER body SET STORAGE EXTERNAL");
  await client.query(`INSERT INTO measured SELECT ${values} FROM generate_series(1, ${ROWS}) i`);
  return client;
}

function expectClose(factor: number): void {
  expect(factor).toBeGreaterThan(1 / WITHIN);
  expect(factor).toBeLessThan(WITHIN);
}

test.each(Object.entries(KINDS))("estimates the log of a table %s, before and with FULL", async (_, kind) => {
  const client = await newTable(kind);
  expectClose(await estimateOf(client, kind, { logical: true, before: kind.before }));
  await client.query("ALTER TABLE measured REPLICA IDENTITY FULL");
  expectClose(await estimateOf(client, kind, { logical: true, before: "row" }));
});

test("estimates the log of a table before logical replication is on", async () => {
  db.compute.setWalLevel(db.branchId, "replica");
  await db.compute.stop(db.branchId);
  await db.compute.start(db.branchId);
  const kind = KINDS["narrow"];
  if (kind === undefined) throw new Error("there is no such kind");
  expectClose(await estimateOf(await newTable(kind), kind, { logical: false, before: "key" }));
});
