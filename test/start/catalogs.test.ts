import { Client } from "pg";
import { allowListFacts, catalogFacts, compareFacts, countFacts } from "../../tools/start/catalogs";
import { testWith, type Feature } from "../support/features";
import { testDatabase, type TestDatabase } from "../support/postgres";

const SCHEMA = `
  CREATE SCHEMA billing;
  CREATE TABLE orders (id int PRIMARY KEY, code text NOT NULL UNIQUE, total numeric, paid boolean);
  CREATE TABLE billing.invoices (id int PRIMARY KEY, note text);
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE ROLE reader;
  CREATE ROLE helper;
  GRANT SELECT ON billing.invoices TO reader;
  COMMENT ON TABLE orders IS 'what was ordered';
`;

type Change = readonly [kind: string, change: string, undo: string];

/** A change of each kind, and the statement that undoes it. Exactly the named kind must be reported. */
const CHANGES: readonly Change[] = [
  ["role", "ALTER ROLE helper CREATEDB", "ALTER ROLE helper NOCREATEDB"],
  ["role", "CREATE ROLE bemi LOGIN REPLICATION", "DROP ROLE bemi"],
  ["role", "ALTER ROLE helper PASSWORD 'another'", "ALTER ROLE helper PASSWORD NULL"],
  ["membership", "GRANT reader TO helper", "REVOKE reader FROM helper"],
  [
    "role setting",
    "ALTER ROLE helper IN DATABASE neondb SET statement_timeout = '1s'",
    "ALTER ROLE helper IN DATABASE neondb RESET ALL",
  ],
  ["privilege", "GRANT SELECT ON orders TO reader", "REVOKE SELECT ON orders FROM reader"],
  ["privilege", "GRANT SELECT (total) ON orders TO helper", "REVOKE SELECT (total) ON orders FROM helper"],
  ["privilege", "GRANT USAGE ON SCHEMA billing TO reader", "REVOKE USAGE ON SCHEMA billing FROM reader"],
  ["privilege", "GRANT CREATE ON DATABASE neondb TO reader", "REVOKE CREATE ON DATABASE neondb FROM reader"],
  [
    "privilege",
    "REVOKE EXECUTE ON FUNCTION touch() FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION touch() TO PUBLIC",
  ],
  [
    "privilege",
    "GRANT SELECT ON billing.invoices TO reader WITH GRANT OPTION",
    "REVOKE GRANT OPTION FOR SELECT ON billing.invoices FROM reader",
  ],
  [
    "default privilege",
    "ALTER DEFAULT PRIVILEGES FOR ROLE neondb_owner IN SCHEMA billing GRANT SELECT ON TABLES TO reader",
    "ALTER DEFAULT PRIVILEGES FOR ROLE neondb_owner IN SCHEMA billing REVOKE SELECT ON TABLES FROM reader",
  ],
  ["publication", "CREATE PUBLICATION bemi", "DROP PUBLICATION bemi"],
  [
    "publication",
    "ALTER PUBLICATION other SET (publish = 'insert')",
    "ALTER PUBLICATION other SET (publish = 'insert, update, delete, truncate')",
  ],
  [
    "published table",
    "ALTER PUBLICATION other ADD TABLE orders",
    "ALTER PUBLICATION other DROP TABLE orders",
  ],
  [
    "replica identity",
    "ALTER TABLE orders REPLICA IDENTITY FULL",
    "ALTER TABLE orders REPLICA IDENTITY DEFAULT",
  ],
  [
    "replica identity",
    "ALTER TABLE orders REPLICA IDENTITY USING INDEX orders_code_key",
    "ALTER TABLE orders REPLICA IDENTITY DEFAULT",
  ],
  ["event trigger", "ALTER EVENT TRIGGER other DISABLE", "ALTER EVENT TRIGGER other ENABLE"],
  [
    "function",
    "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
  ],
  ["relation", "ALTER TABLE orders SET (fillfactor = 70)", "ALTER TABLE orders RESET (fillfactor)"],
  [
    "relation",
    "ALTER TABLE orders ALTER total SET STATISTICS 7",
    "ALTER TABLE orders ALTER total SET STATISTICS -1",
  ],
  [
    "constraint",
    "ALTER TABLE orders ADD CHECK (total > 0)",
    "ALTER TABLE orders DROP CONSTRAINT orders_total_check",
  ],
  [
    "trigger",
    "CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
    "DROP TRIGGER touched ON orders",
  ],
  ["policy", "CREATE POLICY mine ON orders TO reader USING (true)", "DROP POLICY mine ON orders"],
  ["comment", "COMMENT ON TABLE orders IS 'another'", "COMMENT ON TABLE orders IS 'what was ordered'"],
  ["comment", "COMMENT ON ROLE reader IS 'managed'", "COMMENT ON ROLE reader IS NULL"],
  [
    "replication slot",
    "SELECT pg_create_logical_replication_slot('bemi', 'pgoutput')",
    "SELECT pg_drop_replication_slot('bemi')",
  ],
];

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await testDatabase({ sql: SCHEMA });
  client = new Client({ connectionString: database.superuserUri });
  await client.connect();
  await client.query(`
    CREATE PUBLICATION other;
    CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
    CREATE EVENT TRIGGER other ON ddl_command_end EXECUTE FUNCTION on_ddl()`);
});

afterAll(async () => {
  await client.end();
  await database.close();
});

/** Changes that PostgreSQL 14 does not know. */
const NEWER: readonly (readonly [feature: Feature, ...Change])[] = [
  [
    "privileges on parameters",
    "privilege",
    "GRANT SET ON PARAMETER work_mem TO reader",
    "REVOKE SET ON PARAMETER work_mem FROM reader",
  ],
  [
    "publications of schemas",
    "published schema",
    "ALTER PUBLICATION other ADD TABLES IN SCHEMA billing",
    "ALTER PUBLICATION other DROP TABLES IN SCHEMA billing",
  ],
];

async function reports([kind, change, undo]: Change): Promise<void> {
  const before = await catalogFacts(client);
  await client.query(change);
  const found = compareFacts(before, await catalogFacts(client));
  expect([...new Set(found.map((fact) => fact.kind))]).toEqual([kind]);
  await client.query(undo);
  expect(compareFacts(before, await catalogFacts(client))).toEqual([]);
}

describe("catalogFacts", () => {
  it.each(CHANGES)("reports a change of %s: %s", (...change) => reports(change));

  for (const [feature, ...change] of NEWER)
    testWith(feature)(`reports a change of ${change[0]}: ${change[1]}`, () => reports(change));

  it("reports a new schema with its contents, and nothing once it is dropped", async () => {
    const before = await catalogFacts(client);
    await client.query("CREATE SCHEMA _bemi; CREATE TABLE _bemi.identities (id int PRIMARY KEY)");
    const kinds = new Set(compareFacts(before, await catalogFacts(client)).map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(["constraint", "privilege", "relation", "replica identity", "schema"]);
    await client.query("DROP SCHEMA _bemi CASCADE");
    expect(compareFacts(before, await catalogFacts(client))).toEqual([]);
  });

  it("ignores the application's data and the server's own activity", async () => {
    const before = await catalogFacts(client);
    await client.query("INSERT INTO orders VALUES (1, 'a', 1, false)");
    await client.query("ANALYZE");
    await client.query("CHECKPOINT");
    expect(compareFacts(before, await catalogFacts(client))).toEqual([]);
  });

  it("names each object once", async () => {
    const facts = await catalogFacts(client);
    const names = facts.map(({ kind, object }) => `${kind} ${object}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});

describe("compareFacts", () => {
  const role = { kind: "role", object: "bemi", value: "login" };

  it("distinguishes new, removed and changed objects", () => {
    expect(compareFacts([], [role])).toEqual([{ kind: "role", object: "bemi", after: "login" }]);
    expect(compareFacts([role], [])).toEqual([{ kind: "role", object: "bemi", before: "login" }]);
    expect(compareFacts([role], [{ ...role, value: "nologin" }])).toEqual([
      { kind: "role", object: "bemi", before: "login", after: "nologin" },
    ]);
    expect(compareFacts([role], [{ ...role }])).toEqual([]);
  });

  it("reports another order and other entries of the IP Allow list", () => {
    const facts = (ips: string[], protectedBranchesOnly = false) =>
      allowListFacts({ ips, protectedBranchesOnly });
    expect(compareFacts(facts(["10.0.0.1", "10.0.0.2"]), facts(["10.0.0.1", "10.0.0.2"]))).toEqual([]);
    expect(compareFacts(facts(["10.0.0.1", "10.0.0.2"]), facts(["10.0.0.2", "10.0.0.1"]))).toHaveLength(1);
    expect(compareFacts(facts(["10.0.0.1"]), facts(["10.0.0.1", "10.0.0.3"]))).toHaveLength(1);
    expect(compareFacts(facts([]), facts([], true))).toHaveLength(1);
  });

  it("counts the facts of each kind", () => {
    expect([...countFacts([role, { ...role, object: "app" }, { ...role, kind: "comment" }])]).toEqual([
      ["comment", 1],
      ["role", 2],
    ]);
  });
});
