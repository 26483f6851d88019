import { readFileSync } from "node:fs";
import { repositoryFile } from "../../sandbox/repository";
import { EXCLUDED_TABLE, runApplication, TRACKED_SCHEMAS } from "../../tools/start/application";
import { discrepancies, type Change } from "../../tools/start/changes";
import { startConsumer } from "../../tools/start/consumer";
import { changesTable } from "../../tools/start/report";
import { WITH_GENERATED_COLUMNS } from "../support/features";
import { runSql, testDatabase, type TestDatabase } from "../support/postgres";

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({ sql: readFileSync(repositoryFile("sandbox", "sample.sql"), "utf8") });
  await runSql(database.superuserUri, "CREATE ROLE bemi LOGIN REPLICATION PASSWORD 'Sup3r-secret'");
  const tables = await runSql<{ name: string; leaf: boolean }>(
    database.ownerUri,
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname = ANY ($1) AND schemaname || '.' || tablename <> $2`,
    [TRACKED_SCHEMAS, EXCLUDED_TABLE],
  );
  const names = tables.map(({ name }) => name);
  await runSql(
    database.ownerUri,
    [
      ...names.map((name) => `ALTER TABLE ${name} REPLICA IDENTITY FULL`),
      `CREATE PUBLICATION bemi FOR TABLE ${names.join(", ")}${WITH_GENERATED_COLUMNS}`,
    ].join("; "),
  );
});

afterAll(async () => {
  await database.close();
});

async function capture(): Promise<{ wrong: string[]; changes: readonly Change[] }> {
  const { hostname, port, pathname } = new URL(database.ownerUri);
  const consumer = await startConsumer({
    connection: {
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      username: "bemi",
      password: "Sup3r-secret",
    },
    publication: "bemi",
    slot: "bemi",
    sslRootCert: database.sslRootCert,
  });
  try {
    const { ownerUri: uri, sslRootCert } = database;
    const writes = await runApplication({ uri, sslRootCert, lastWord: "end" });
    await consumer.reached("end", 20_000);
    return { wrong: discrepancies(writes, consumer.changes), changes: consumer.changes };
  } finally {
    await consumer.stop();
  }
}

describe("the sample application", () => {
  it("writes to every kind of table, and all but the excluded table is captured", async () => {
    const { wrong, changes } = await capture();
    expect(wrong).toEqual([]);
    const touched = new Set(changes.map(({ table }) => table));
    for (const table of [
      "billing.invoices",
      "public.stock_imports",
      "public.events_2026_02",
      "public.Customer Notes",
    ])
      expect(touched).toContain(table);
    expect(touched).not.toContain(EXCLUDED_TABLE);
    expect(new Set(changes.map(({ operation }) => operation))).toEqual(
      new Set(["Create", "Update", "Delete"]),
    );
    const description = changes.find(({ table }) => table === "public.product_descriptions");
    expect(description?.before?.["body"]?.length).toBeGreaterThan(20_000);

    const lines = changesTable(changes).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("reports a table that is not published, and one without FULL identity", async () => {
    // Remove the rows of the first run, so that the application can run again.
    await runSql(
      database.superuserUri,
      `DELETE FROM billing.invoices WHERE order_id > 500;
       DELETE FROM orders WHERE id > 500;
       DELETE FROM customers WHERE id > 200;
       SELECT pg_drop_replication_slot('bemi')`,
    );
    await runSql(
      database.ownerUri,
      `ALTER TABLE "Customer Notes" REPLICA IDENTITY DEFAULT; ALTER PUBLICATION bemi DROP TABLE billing.invoices`,
    );
    const { wrong } = await capture();
    expect(wrong).toEqual([
      "billing.invoices: the application made Create, captured were none",
      "Update in public.Customer Notes: the row before is missing",
    ]);
  });
});
