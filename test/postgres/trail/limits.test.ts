import { readFileSync } from "node:fs";
import path from "node:path";
import { Client } from "pg";
import { PROJECT } from "../../../tools/pulumiCli";
import { testDatabase, type TestDatabase } from "../../support/postgres";
import { refusal } from "../../support/refusal";
import { TARGET, testRun, type TestRun } from "../../support/run";
import { change, down, up } from "../../support/stack";
import { identities, members } from "../../support/tables";
import { Trail } from "../../support/trail";

/*
 * What an application cannot do with a tracked table. No catalog shows it beforehand, so docs/limits.md says it, with the
 * words of the server's error: those are what people search for.
 */

const PUBLIC = { schemas: ["public"] };

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase({
    sql: "CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE notes (note text)",
  });
});
afterAll(() => db.close());
beforeEach(() => {
  run = testRun(db);
});
afterEach(() => run.end());

/** The entry of docs/limits.md that begins with these words, in one line. */
function limit(beginning: string): string {
  const text = readFileSync(path.join(PROJECT, "docs/limits.md"), "utf8").replace(/\s+/g, " ");
  return text.split(/ - (?=\*\*)/).find((entry) => entry.startsWith(beginning)) ?? "";
}

test("SET UNLOGGED of a published table is refused as the docs say, and the way out works", async () => {
  const stack = await up(run, PUBLIC);
  const said = await db.sql("ALTER TABLE orders SET UNLOGGED").then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  expect(said).toMatch(/unlogged/);
  const documented = limit("**`ALTER TABLE ... SET UNLOGGED` is refused**");
  expect(documented).toContain(`\`${said.replace('"orders"', '"..."')}\``);
  expect(documented).toContain("Exclude the table and run `up` first");

  const without = await change(run, stack, { ...PUBLIC, excludeTables: ["public.orders"] });
  await db.sql("ALTER TABLE orders SET UNLOGGED");
  const unlogged = await change(run, without, PUBLIC);
  expect(await members(db)).toEqual(["public.notes"]);

  expect(documented).toContain("A table that becomes LOGGED is tracked from then on");
  await db.sql("ALTER TABLE orders SET LOGGED");
  expect(await members(db)).toEqual(["public.notes", "public.orders"]);
  expect(await identities(db)).toEqual({ "public.notes": "f", "public.orders": "f" });
  await down(run, unlogged);
  expect(await identities(db)).toEqual({ "public.notes": "d", "public.orders": "d" });
});

test("the docs name what the server says about a row above 1 GB, and the way out", () => {
  // To make such a row takes half a minute. On PostgreSQL 17, with 1.08 GB in three columns, UPDATE and DELETE fail with
  // these words while the table is FULL, and pass with its key; INSERT passes.
  const documented = limit("**A row above 1 GB cannot be changed.**");
  expect(documented).toContain("`invalid memory alloc request size`");
  expect(documented).toContain('`"primaryKey"` in `identity.tables`, or put it into `excludeTables`');
});

test("a preview says that the server has no free slot and no free WAL sender", async () => {
  const full = await testDatabase({
    settings: { max_replication_slots: "1", max_wal_senders: "1" },
    sql: "CREATE TABLE orders (id int PRIMARY KEY)",
  });
  const consumer = new Client({ connectionString: full.ownerUri, replication: "database" } as object);
  try {
    await full.sql("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')");
    await consumer.connect();
    const said = await refusal(new Trail(() => testRun(full)).previewUp({ ...TARGET, ...PUBLIC }));
    expect(said).toContain("has no free replication slot: all 1 are taken (theirs)");
    expect(said).toContain("has no free WAL sender: all 1 are in use");
  } finally {
    await consumer.end();
    await full.close();
  }
});
