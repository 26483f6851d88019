import type { Client } from "pg";
import { DatabaseError } from "pg";
import { judgeSql } from "../../../provider/postgres/sql/judge";
import { testDatabase, type TestDatabase } from "../../support/postgres";

/** Statements that make `app.t`, the table that is judged. `app.root`, if it exists, is partitioned and above it. */
const TABLES: Readonly<Record<string, string>> = {
  "with a key": "CREATE TABLE app.t (id int PRIMARY KEY, code int NOT NULL UNIQUE, note text)",
  "without a key": "CREATE TABLE app.t (id int, code int NOT NULL UNIQUE, note text)",
  "with a key of two columns":
    "CREATE TABLE app.t (note text, id int, code int NOT NULL UNIQUE, PRIMARY KEY (code, id))",
  "with a deferrable key":
    "CREATE TABLE app.t (id int PRIMARY KEY DEFERRABLE, code int NOT NULL UNIQUE, note text)",
  "with a covering key":
    "CREATE TABLE app.t (id int, code int NOT NULL UNIQUE, note text, PRIMARY KEY (id) INCLUDE (note))",
  unlogged: "CREATE UNLOGGED TABLE app.t (id int, code int NOT NULL UNIQUE, note text)",
  "with a dropped column":
    "CREATE TABLE app.t (gone int, id int PRIMARY KEY, code int NOT NULL UNIQUE, note text); ALTER TABLE app.t DROP gone",
  "with a stored generated column":
    "CREATE TABLE app.t (id int PRIMARY KEY, code int NOT NULL UNIQUE, note text, sum int GENERATED ALWAYS AS (id + 1) STORED)",
  "with a stored generated key":
    "CREATE TABLE app.t (a int, id int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY, code int NOT NULL UNIQUE, note text)",
  "with a virtual generated column":
    "CREATE TABLE app.t (id int PRIMARY KEY, code int NOT NULL UNIQUE, note text, sum int GENERATED ALWAYS AS (id + 1) VIRTUAL)",
  "that inherits":
    "CREATE TABLE far.root (id int, note text); CREATE TABLE app.t (code int NOT NULL UNIQUE) INHERITS (far.root)",
  partition: `CREATE TABLE far.root (id int PRIMARY KEY, code int, note text) PARTITION BY LIST (id);
    CREATE TABLE app.t (note text, gone int, code int NOT NULL UNIQUE, id int NOT NULL); ALTER TABLE app.t DROP gone;
    ALTER TABLE far.root ATTACH PARTITION app.t FOR VALUES IN (1)`,
  "partition of a partition": `CREATE TABLE far.root (id int, code int, note text) PARTITION BY LIST (id);
    CREATE TABLE middle.part (code int, id int, note text) PARTITION BY LIST (id);
    CREATE TABLE app.t (note text, code int NOT NULL UNIQUE, id int PRIMARY KEY);
    ALTER TABLE far.root ATTACH PARTITION middle.part FOR VALUES IN (1);
    ALTER TABLE middle.part ATTACH PARTITION app.t FOR VALUES IN (1)`,
};

const IDENTITIES = ["DEFAULT", "NOTHING", "FULL", "USING INDEX t_code_key"];

/** What follows CREATE PUBLICATION and a name. Where the server refuses one for a table, the case is left out. */
const PUBLICATIONS: readonly (readonly string[])[] = [
  [],
  ["FOR ALL TABLES"],
  ["FOR ALL TABLES WITH (publish_via_partition_root)"],
  ["FOR ALL TABLES WITH (publish = 'insert, truncate')"],
  ["FOR ALL TABLES WITH (publish_generated_columns = stored)"],
  ["FOR TABLE ONLY app.t WITH (publish = 'insert, update')"],
  ["FOR TABLE ONLY app.t WITH (publish = 'delete')"],
  ["FOR TABLE ONLY app.t", "FOR TABLES IN SCHEMA app WITH (publish_generated_columns = stored)"],
  ["FOR TABLES IN SCHEMA app"],
  ["FOR TABLES IN SCHEMA far"],
  ["FOR TABLES IN SCHEMA middle WITH (publish = 'update')"],
  ["FOR TABLES IN SCHEMA far WITH (publish_via_partition_root)"],
  ["FOR TABLE ONLY app.t (id)"],
  ["FOR TABLE ONLY app.t (code) WITH (publish = 'update')"],
  ["FOR TABLE ONLY app.t (note, code, id)"],
  ["FOR TABLE ONLY app.t (note) WITH (publish_generated_columns = stored)"],
  ["FOR TABLE ONLY app.t (id, sum) WITH (publish_generated_columns = stored)"],
  ["FOR TABLE ONLY app.t WHERE (id > 0)"],
  ["FOR TABLE ONLY app.t WHERE (code > 0 AND id > 0)"],
  ["FOR TABLE ONLY app.t WHERE (note IS NULL) WITH (publish = 'delete')"],
  ["FOR TABLE ONLY app.t WHERE (sum > 1) WITH (publish_generated_columns = stored)"],
  ["FOR TABLE ONLY app.t WHERE (1 > 0)"],
  ["FOR TABLE ONLY app.t (id) WHERE (id > 0)"],
  ["FOR TABLE ONLY app.t (id, code, note) WHERE (id > 0)"],
  ["FOR TABLE ONLY app.t (id) WHERE (code > 0)"],
  ["FOR TABLE ONLY app.t (id, code) WHERE (note > '')"],
  ["FOR TABLE ONLY app.t, app.other (a) WHERE (b > 0)"],
  ["FOR TABLE far.root"],
  ["FOR TABLE far.root WITH (publish_via_partition_root)"],
  ["FOR TABLE far.root (id) WITH (publish_via_partition_root)"],
  ["FOR TABLE far.root (id, code) WITH (publish_via_partition_root)"],
  ["FOR TABLE far.root (note, id) WHERE (id > 0) WITH (publish_via_partition_root)"],
  ["FOR TABLE far.root WHERE (code > 0) WITH (publish_via_partition_root)"],
  ["FOR TABLE far.root, app.t (code) WITH (publish_via_partition_root)"],
  ["FOR TABLE far.root (id, code, note), middle.part WHERE (code > 0) WITH (publish_via_partition_root)"],
  ["FOR TABLES IN SCHEMA far, TABLE app.t WHERE (note > '') WITH (publish_via_partition_root)"],
  [
    "FOR TABLE ONLY app.t (id) WITH (publish = 'update')",
    "FOR TABLE ONLY app.t WHERE (code > 0) WITH (publish = 'delete')",
  ],
];

const FOUNDATION =
  "CREATE SCHEMA app; CREATE SCHEMA middle; CREATE SCHEMA far; CREATE TABLE app.other (a int PRIMARY KEY, b int)";

const JUDGE = `CREATE FUNCTION judge() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $judge$
  BEGIN ${judgeSql("'t'", "'app.t'::regclass")} END $judge$`;

/** What the app gets: the SQLSTATE and the beginning of the message. */
type Verdict = "passes" | { readonly code: string | undefined; readonly message: string };

/** How many cases each version has at least: it must not be the setup that fails. */
const CASES = { 14: 300, 15: 1100, 16: 1100, 17: 1100, 18: 1400 } as const;

describe.each([14, 15, 16, 17, 18] as const)("PostgreSQL %i", (version) => {
  let db: TestDatabase;
  let client: Client;

  beforeAll(async () => {
    db = await testDatabase({ version, profile: "neon", sql: `${FOUNDATION}; ${JUDGE}` });
    client = await db.connect();
  });
  afterAll(async () => {
    await client.end();
    await db.close();
  });

  test("judges every case as the server does", async () => {
    const differences: unknown[] = [];
    let cases = 0;
    for (const [name, table] of Object.entries(TABLES))
      for (const identity of IDENTITIES) {
        // Committed: in the transaction that makes a table, the server overlooks later publications for all tables.
        const made = await tried(`BEGIN; ${table}; ALTER TABLE app.t REPLICA IDENTITY ${identity}; COMMIT`);
        if (made !== "passes") await client.query("ROLLBACK");
        for (const publications of made === "passes" ? PUBLICATIONS : []) {
          await client.query("BEGIN");
          const create = publications.map((each, n) => `CREATE PUBLICATION p${n} ${each}; `).join("");
          if ((await tried(`${create}SAVEPOINT made`)) === "passes") {
            cases += 1;
            const deleting = await tried("DELETE FROM ONLY app.t; ROLLBACK TO made");
            if (deleting !== "passes") await client.query("ROLLBACK TO made");
            const updating = await tried("UPDATE ONLY app.t SET note = ''; ROLLBACK TO made");
            if (updating !== "passes") await client.query("ROLLBACK TO made");
            const server = deleting === "passes" ? updating : deleting;
            const judged = await tried("SELECT judge()");
            if (!agree(server, judged)) differences.push({ name, identity, publications, server, judged });
          }
          await client.query("ROLLBACK");
        }
        await client.query("DROP TABLE IF EXISTS app.t, far.root CASCADE; DROP TABLE IF EXISTS middle.part");
      }
    expect(differences.slice(0, 5)).toEqual([]);
    expect(cases).toBeGreaterThanOrEqual(CASES[version]);
  });

  async function tried(statement: string): Promise<Verdict> {
    try {
      await client.query(statement);
      return "passes";
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      return { code: error.code, message: error.message };
    }
  }
});

/** The error has the server's SQLSTATE and names the command that fails. */
function agree(server: Verdict, judged: Verdict): boolean {
  if (server === "passes" || judged === "passes") return server === judged;
  const command = (message: string): string | undefined =>
    /^cannot (delete from|update) table/.exec(message)?.[0];
  return server.code === judged.code && command(server.message) === command(judged.message);
}
