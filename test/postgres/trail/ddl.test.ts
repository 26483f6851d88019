import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { startConsumer, type Consumer } from "../../../tools/start/consumer";
import { MATRIX, ownerWhoMakesRoles, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { ORM_PACKAGE } from "../../support/ormPackage";
import { refusal } from "../../support/refusal";
import { TARGET, testRun } from "../../support/run";
import { Trail, type TrailArgs } from "../../support/trail";

/** Every way in which a table comes to be tracked; the table is then `public.fresh` or a partition that is. */
const WAYS: Readonly<Record<string, string>> = {
  "CREATE TABLE": "CREATE TABLE public.fresh (id int, note text)",
  "CREATE TABLE AS": "CREATE TABLE public.fresh AS SELECT 0 AS id, ''::text AS note",
  "SELECT INTO": "SELECT 0 AS id, ''::text AS note INTO public.fresh",
  "PARTITION OF": "CREATE TABLE elsewhere.fresh PARTITION OF public.parted FOR VALUES IN (1)",
  "ATTACH PARTITION":
    "CREATE TABLE elsewhere.fresh (id int, note text); ALTER TABLE public.parted ATTACH PARTITION elsewhere.fresh FOR VALUES IN (1)",
  "SET SCHEMA":
    "CREATE TABLE elsewhere.fresh (id int, note text); ALTER TABLE elsewhere.fresh SET SCHEMA public",
};
const SELECTIONS: readonly Partial<TrailArgs>[] = [
  { schemas: ["public"], excludeTables: ["public.sessions"] },
  { allTables: true },
];

describe.each(MATRIX)("PostgreSQL %i", (version) => {
  let db: TestDatabase;
  let trail: Trail;
  const clients: Client[] = [];

  beforeAll(async () => {
    db = await testDatabase({ version, profile: "neon", owner: ownerWhoMakesRoles(version) });
    await runSql(
      db.superuserUri,
      `CREATE ROLE unrelated LOGIN PASSWORD 'app'; CREATE ROLE member LOGIN PASSWORD 'app';
       GRANT member TO neondb_owner; GRANT CREATE ON DATABASE neondb TO unrelated, member;`,
    );
  });
  afterAll(() => db.close());
  beforeEach(async () => {
    trail = new Trail(() => testRun(db));
    await owner(`
      CREATE SCHEMA elsewhere;
      GRANT ALL ON SCHEMA public, elsewhere TO unrelated, member;
      CREATE TABLE orders (id int, note text);
      CREATE TABLE parted (id int, note text) PARTITION BY LIST (id);`);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await trail.destroy();
    await owner("DROP SCHEMA IF EXISTS public, elsewhere, made, made_2 CASCADE; CREATE SCHEMA public");
  });

  describe.each(SELECTIONS)("%j", (selection) => {
    test.each(["neondb_owner", "member"])(
      "a table that role %s makes is captured with the row before",
      async (role) => {
        await owner(`ALTER TABLE parted OWNER TO ${role}`);
        await trail.up({ ...TARGET, ...selection });
        const consumer = await consume();
        const app = await connect(role);
        const ways = Object.entries(WAYS);
        if (selection.allTables)
          ways.push(["CREATE SCHEMA", "CREATE SCHEMA made CREATE TABLE fresh (id int, note text)"]);
        for (const [way, ddl] of ways) {
          const before = consumer.changes.length;
          await app.query(ddl);
          const table = await tableNamed("fresh");
          await app.query(`INSERT INTO ${table} VALUES (1, 'a')`);
          await app.query(`UPDATE ${table} SET note = 'b' WHERE id = 1`);
          await app.query(`DELETE FROM ${table} WHERE id = 1`);
          await app.query("SELECT pg_logical_emit_message(true, 'test', $1)", [way]);
          await consumer.reached(way, 30_000);
          const changes = consumer.changes
            .slice(before)
            .filter((change) => change.table === table)
            .slice(-3);
          expect([way, changes.map(({ operation, before, after }) => [operation, before, after])]).toEqual([
            way,
            [
              ["Create", undefined, { id: "1", note: "a" }],
              ["Update", { id: "1", note: "a" }, { id: "1", note: "b" }],
              ["Delete", { id: "1", note: "b" }, undefined],
            ],
          ]);
          await app.query(`DROP TABLE ${table}`);
        }
        await consumer.stop();
      },
    );
  });

  test("tables of a role whose rights the owner lacks are left alone, without a warning", async () => {
    await trail.up({ ...TARGET, schemas: ["public"] });
    const app = await connect("unrelated");
    const notices: string[] = [];
    app.on("notice", ({ message = "" }) => notices.push(message));
    const state = () =>
      runSql(
        db.superuserUri,
        `SELECT c.relname AS name, c.relreplident AS identity, r.prrelid IS NOT NULL AS published
           FROM pg_class c LEFT JOIN pg_publication_rel r ON r.prrelid = c.oid
          WHERE c.relname IN ('theirs', 'later') ORDER BY 1`,
      );
    for (const statement of [
      "CREATE TABLE theirs (id int)",
      "ALTER TABLE theirs ADD COLUMN note text",
      "INSERT INTO theirs VALUES (1)",
      "UPDATE theirs SET note = 'a'",
      "DELETE FROM theirs",
    ])
      expect(await outcome(app, statement)).toBe("ok");
    expect(notices).toEqual([]);
    expect(await state()).toEqual([{ name: "theirs", identity: "d", published: false }]);

    // With its rights, new tables are tracked at once, and the others when they are altered.
    await runSql(db.superuserUri, "GRANT unrelated TO neondb_owner");
    await app.query("CREATE TABLE later (id int); ALTER TABLE theirs ADD COLUMN at timestamptz");
    await runSql(db.superuserUri, "REVOKE unrelated FROM neondb_owner");
    await app.query("ALTER TABLE later ADD COLUMN at timestamptz");
    expect(notices).toEqual([]);
    expect(await state()).toEqual([
      { name: "later", identity: "f", published: true },
      { name: "theirs", identity: "f", published: true },
    ]);
    await runSql(db.superuserUri, "DROP TABLE theirs, later");
  });

  test.each(["before", "after"])(
    "contexts of Bemi's packages, installed %s up, come with their changes",
    async (installed) => {
      if (installed === "before") await owner(ORM_PACKAGE);
      await trail.up({ ...TARGET, schemas: ["public"] });
      if (installed === "after") await owner(ORM_PACKAGE);
      await owner("SELECT pg_create_logical_replication_slot('contexts', 'pgoutput')");
      const write = async (table: string): Promise<void> => {
        await owner(`INSERT INTO ${table} (id) VALUES (1) /*Bemi {"user":"${table}"} Bemi*/`);
        await owner(`DELETE FROM ${table} /*Bemi {"user":"nobody"} Bemi*/`);
      };
      await write("orders");
      await owner("CREATE TABLE fresh (id int)");
      await write("fresh");
      await trail.up({ ...TARGET, schemas: ["public"] });
      await owner("CREATE TABLE later (id int)");
      await write("later");
      const messages = await runSql<{ kinds: string; context: string }>(
        db.ownerUri,
        `SELECT string_agg(chr(get_byte(data, 0)), '' ORDER BY n) AS kinds,
                max(substring(encode(data, 'escape') FROM '_bemi.*({.*})')) AS context
           FROM pg_logical_slot_get_binary_changes('contexts', NULL, NULL,
                  'proto_version', '1', 'publication_names', 'bemi', 'messages', 'true')
                WITH ORDINALITY c (lsn, xid, data, n)
          GROUP BY xid::text HAVING count(*) > 2 ORDER BY min(n)`,
      );
      // Begin, the description of the table, Insert or Delete, Message, Commit.
      expect(messages).toEqual([
        { kinds: "BRIMC", context: '{"user":"orders"}' },
        { kinds: "BDMC", context: '{"user":"nobody"}' },
        { kinds: "BRIMC", context: '{"user":"fresh"}' },
        { kinds: "BDMC", context: '{"user":"nobody"}' },
        { kinds: "BRIMC", context: '{"user":"later"}' },
        { kinds: "BDMC", context: '{"user":"nobody"}' },
      ]);
      await owner("SELECT pg_drop_replication_slot('contexts'); DROP EVENT TRIGGER _bemi_on_create_table");
    },
  );

  test("no DDL fails or waits long while a migration with a new table stays open", async () => {
    await trail.up({ ...TARGET, schemas: ["public", "elsewhere"] });
    const migration = await connect("member");
    await migration.query("BEGIN; CREATE TABLE migrated (id int)");
    const app = await connect("member");
    await app.query("SET statement_timeout = '400ms'");
    const parts = Array.from({ length: 6 }, (_, n) => `PARTITION OF tree FOR VALUES IN (${n})`);
    for (const ddl of [
      "CREATE TABLE alone (id int)",
      // Many tables in one statement: the wait for the first one must not be repeated for each of the others.
      `DO $$ BEGIN ${Array.from({ length: 8 }, (_, n) => `CREATE TABLE many_${n} (id int);`).join(" ")} END $$`,
      "CREATE TABLE elsewhere.copied AS SELECT 1 AS id",
      "CREATE TEMP TABLE passing (id int)",
      "SET search_path = ''; CREATE TABLE public.restored (id int); RESET search_path",
      "CREATE TABLE elsewhere.tree (id int) PARTITION BY LIST (id)",
      `SET search_path = elsewhere; ${parts.map((part, n) => `CREATE TABLE tree_${n} ${part}`).join("; ")}`,
    ])
      expect(await outcome(app, ddl)).toBe("ok");
    await migration.query("COMMIT");
    // The next up adds the tables whose DDL found the publication locked.
    await trail.up({ ...TARGET, schemas: ["public", "elsewhere"] });
    expect(trail.state["publication"]?.outputs).toMatchObject({ wanted: 21, done: 21, pending: [] });
  });

  test("DDL takes no stronger lock on a table whose identity is not set yet", async () => {
    await owner(`CREATE TABLE elsewhere.part PARTITION OF parted FOR VALUES IN (0);
      CREATE TABLE joining (id int, note text);
      ALTER TABLE orders ADD CONSTRAINT positive CHECK (id > 0) NOT VALID`);
    await trail.up({ ...TARGET, schemas: ["public"] });
    // The same state as if these tables had been locked all the time.
    await owner(`ALTER EVENT TRIGGER _bemi_track DISABLE;
      ALTER TABLE orders REPLICA IDENTITY DEFAULT; ALTER TABLE elsewhere.part REPLICA IDENTITY DEFAULT;
      ALTER TABLE parted REPLICA IDENTITY DEFAULT; ALTER EVENT TRIGGER _bemi_track ENABLE ALWAYS`);
    const migration = await connect("neondb_owner");
    await migration.query(`BEGIN; ALTER TABLE orders VALIDATE CONSTRAINT positive;
      ALTER TABLE parted ATTACH PARTITION joining FOR VALUES IN (1)`);
    const app = await connect("neondb_owner");
    await app.query("SET lock_timeout = '300ms'");
    for (const table of ["orders", "elsewhere.part", "parted"])
      expect(await outcome(app, `SELECT FROM ${table}`)).toBe("ok");
    await migration.query("COMMIT");
  });

  test("no DDL fails while the event triggers are created and dropped", async () => {
    const errors: string[] = [];
    const clock = { stop: false };
    const busy = async (n: number): Promise<void> => {
      const app = await connect("member");
      for (let i = 0; !clock.stop; i++)
        for (const ddl of [
          `CREATE TABLE elsewhere.made_${n}_${i} (id int)`,
          `ALTER TABLE elsewhere.made_${n}_${i} SET SCHEMA public`,
          `DROP TABLE public.made_${n}_${i}`,
        ]) {
          const result = await outcome(app, ddl);
          if (result !== "ok") errors.push(`${ddl}: ${result}`);
        }
    };
    const work = [0, 1, 2].map(busy);
    try {
      for (let i = 0; i < 4; i++) {
        await upWhatever({});
        // This transaction holds the publication, so event triggers wait for it as long as they may, within the DDL.
        const migration = await connect("member");
        await migration.query(`BEGIN; CREATE TABLE migrated_${i} (id int)`);
        await upWhatever({ trackNewTables: false }, () => migration.query("COMMIT"));
        if (i % 2 === 1) await trail.destroy();
      }
    } finally {
      clock.stop = true;
      await Promise.all(work);
    }
    expect(errors).toEqual([]);
  });

  /** Readiness may be asked before a table that was created meanwhile is captured. */
  async function upWhatever(args: Partial<TrailArgs>, then?: () => Promise<unknown>): Promise<void> {
    const up = trail.up({ ...TARGET, schemas: ["public"], ...args });
    const removed = sleep(1_000).then(then);
    const message = await refusal(up);
    await removed;
    if (message !== undefined) expect(message).toMatch(/is not ready/);
  }

  async function owner(statement: string): Promise<void> {
    await runSql(db.ownerUri, statement);
  }

  async function connect(role: string): Promise<Client> {
    const uri = new URL(db.ownerUri);
    if (role !== "neondb_owner") {
      uri.username = role;
      uri.password = "app";
    }
    const client = new Client({ connectionString: uri.href });
    await client.connect();
    clients.push(client);
    return client;
  }

  async function tableNamed(name: string): Promise<string> {
    const [row] = await runSql<{ table: string }>(
      db.superuserUri,
      "SELECT n.nspname || '.' || c.relname AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = $1",
      [name],
    );
    return row?.table ?? "";
  }

  function consume(): Promise<Consumer> {
    const { host, port, username, password } = trail.login;
    return startConsumer({
      connection: { host, port, username, password, database: TARGET.database },
      publication: "bemi",
      slot: "bemi",
      sslRootCert: db.sslRootCert,
    });
  }
});

describe("where event triggers are not allowed", () => {
  let db: TestDatabase;
  let trail: Trail;

  beforeAll(async () => {
    db = await testDatabase({
      profile: "strict",
      sql: "CREATE TABLE orders (id int); CREATE TABLE parted (id int) PARTITION BY LIST (id)",
    });
    trail = new Trail(() => testRun(db));
  });
  afterAll(() => db.close());

  test("readiness says so, the next up takes new tables in, and excluded ones stay out", async () => {
    const args = { ...TARGET, schemas: ["public"], excludeTables: ["public.sessions"] };
    await trail.up(args);
    const { newTables, degraded } = trail.state["readiness"]?.outputs ?? {};
    expect(newTables).toBe("next up");
    expect(degraded).toEqual([
      expect.stringMatching(/sessions is excluded, but there is no such table/),
      expect.stringMatching(/New tables are tracked from the next up on.*Run pulumi up after each migration/),
    ]);

    await runSql(
      db.ownerUri,
      `CREATE TABLE created (id int); CREATE TABLE created_as AS SELECT 1 AS id; CREATE TABLE sessions (id int);
       CREATE TABLE part PARTITION OF parted DEFAULT`,
    );
    for (const table of ["created_as", "parted"])
      await runSql(
        db.ownerUri,
        `INSERT INTO ${table} VALUES (1); UPDATE ${table} SET id = 2; DELETE FROM ${table}`,
      );
    await trail.refresh();
    expect(trail.drift["identity"]).toEqual({
      identityNotFull: "public.created, public.created_as, public.part",
    });
    expect(trail.drift["readiness"]).toMatchObject({
      notReady: expect.stringMatching(
        /^public\.created, public\.created_as, public\.part.*is not in publication/,
      ) as string,
    });
    await trail.up(args);
    expect(trail.state["publication"]?.outputs).toMatchObject({ wanted: 5, done: 5, pending: [] });
    await trail.destroy();
  });

  test("names a table of a role whose rights we lack, and fails no DDL", async () => {
    await runSql(
      db.superuserUri,
      "CREATE ROLE unrelated; CREATE TABLE public.theirs (id int); ALTER TABLE theirs OWNER TO unrelated",
    );
    expect(await refusal(trail.up({ ...TARGET, schemas: ["public"] }))).toMatch(
      /public\.theirs is owned by unrelated, whose rights neondb_owner does not have/,
    );
    await trail.destroy();
  });
});

async function outcome(client: Client, statement: string): Promise<string> {
  try {
    await client.query(statement);
    return "ok";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
