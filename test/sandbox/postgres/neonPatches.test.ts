import type { Client } from "pg";
import {
  MATRIX,
  runSql,
  testDatabase,
  USERS_EVENT_TRIGGERS,
  withClient,
  type TestDatabase,
} from "../../support/postgres";

const FUNCTION = "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS";
const TRIGGER = "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION on_ddl()";
describe.each(MATRIX)("the owner in the neon profile, on PostgreSQL %i", (version) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase({ version, profile: "neon" });
    await runSql(db.superuserUri, "CREATE ROLE made_by_api LOGIN CREATEROLE IN ROLE neon_superuser");
  });
  afterEach(async () => {
    expect(await superusers()).toEqual(["cloud_admin"]);
    await db.clear();
  });
  afterAll(async () => {
    await db.close();
  });

  async function superusers(): Promise<string[]> {
    const rows = await runSql<{ rolname: string }>(
      db.superuserUri,
      "SELECT rolname FROM pg_roles WHERE rolsuper",
    );
    return rows.map(({ rolname }) => rolname);
  }

  function own(statement: string, client?: Client): Promise<unknown> {
    return client === undefined ? db.sql(statement) : client.query(statement);
  }

  test("creates, disables, comments and drops an event trigger, which stays its own", async () => {
    await own(`${FUNCTION} 'BEGIN END'; ${TRIGGER}`);
    await own("ALTER EVENT TRIGGER mine DISABLE; COMMENT ON EVENT TRIGGER mine IS 'x'");
    expect(
      await db.sql(
        "SELECT pg_get_userbyid(evtowner) AS owner, evtenabled AS enabled FROM pg_event_trigger WHERE evtname = 'mine'",
      ),
    ).toEqual([{ owner: "neondb_owner", enabled: "D" }]);
    await expect(own("ALTER EVENT TRIGGER mine OWNER TO made_by_api")).rejects.toMatchObject({
      code: "42501",
    });
    await own("DROP EVENT TRIGGER mine");
  });

  test("creates an event trigger in a transaction of its own, or in a DO block", async () => {
    await own(`${FUNCTION} 'BEGIN END'`);
    await own(`-- a comment\n${TRIGGER}`);
    await own("DROP EVENT TRIGGER mine");
    const again = FUNCTION.replace("CREATE", "CREATE OR REPLACE");
    await own(`DO $$ BEGIN ${again} 'BEGIN END'; ${TRIGGER}; END $$`);
    await expect(
      own(TRIGGER.replace("mine", "other").replace("on_ddl()", "nowhere()")),
    ).rejects.toMatchObject({ code: "42883" });
    const client = await db.connect();
    await client.query("BEGIN");
    await client.query({ name: "prepared", text: TRIGGER.replace("mine", "second") });
    await client.query("COMMIT");
    expect(await db.eventTriggers()).toEqual(["mine", "second"]);
  });

  test("is a superuser in its own transaction only, and not for other commands there", async () => {
    const client = await db.connect();
    await own(`BEGIN; ${FUNCTION} 'BEGIN END'`, client);
    expect(await superusers()).toEqual(["cloud_admin"]);
    await runSql(db.superuserUri, "CREATE TABLE theirs ()");
    await expect(own("COMMENT ON TABLE theirs IS 'x'", client)).rejects.toMatchObject({ code: "42501" });
    await own("ROLLBACK", client);
    await own(`BEGIN; ${FUNCTION} 'BEGIN END'; CREATE TABLE between (); ${TRIGGER}; COMMIT`, client);
  });

  test("gives the rights back although triggers do not fire for it", async () => {
    await runSql(db.superuserUri, "ALTER ROLE neondb_owner SET session_replication_role = replica");
    await own(`${FUNCTION} 'BEGIN END'; ${TRIGGER}`);
    await runSql(db.superuserUri, "ALTER ROLE neondb_owner RESET session_replication_role");
  });

  test("may not use a superuser's function for its event trigger", async () => {
    await runSql(
      db.superuserUri,
      "CREATE FUNCTION theirs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    );
    const both = `${FUNCTION} 'BEGIN END'; ${TRIGGER.replace("on_ddl", "theirs")}`;
    await expect(own(both)).rejects.toMatchObject({
      code: "42501",
      message: "Permission denied to execute a function owned by a superuser role",
    });
  });

  test("publishes all tables, and a schema from PostgreSQL 15 on, but adds no schema later", async () => {
    await own("CREATE TABLE t (id int); CREATE PUBLICATION everything FOR ALL TABLES");
    await own(
      "DO $$ BEGIN EXECUTE format('CREATE PUBLICATION %I FOR ALL ' || 'TABLES', 'from_block'); END $$",
    );
    if (version < 15) return;
    await own("CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA public; CREATE PUBLICATION empty");
    await expect(own("ALTER PUBLICATION empty ADD TABLES IN SCHEMA public")).rejects.toThrow(
      "must be superuser to add or set schemas",
    );
  });

  test("publishes its own tables only", async () => {
    await runSql(db.superuserUri, "CREATE TABLE theirs (id int)");
    await expect(own("CREATE PUBLICATION several FOR TABLE theirs")).rejects.toThrow(
      "must be owner of table",
    );
    if (version < 15) return;
    await own("CREATE SCHEMA more");
    await expect(
      own("CREATE PUBLICATION several FOR TABLES IN SCHEMA more, TABLE public.theirs"),
    ).rejects.toThrow("must be owner of table theirs");
  });

  test("makes replication roles from PostgreSQL 16 on", async () => {
    const made = own("CREATE ROLE bemi LOGIN REPLICATION");
    if (version < 16) await expect(made).rejects.toMatchObject({ code: "42501" });
    else await made.then(() => own("DROP ROLE bemi"));
  });

  test("cannot touch a role that was made through the API, from PostgreSQL 16 on", async () => {
    if (version < 16) return;
    await own("CREATE TABLE t ()");
    for (const statement of [
      "GRANT made_by_api TO neondb_owner",
      "ALTER ROLE made_by_api PASSWORD 'x'",
      "COMMENT ON ROLE made_by_api IS 'x'",
      "REASSIGN OWNED BY made_by_api TO neondb_owner",
      "ALTER TABLE t OWNER TO made_by_api",
      "ALTER DEFAULT PRIVILEGES FOR ROLE made_by_api GRANT SELECT ON TABLES TO PUBLIC",
      "DROP ROLE made_by_api",
    ])
      await expect(own(statement)).rejects.toMatchObject({ code: "42501" });
  });

  test("has event triggers that superusers and neon.event_triggers skip, from PostgreSQL 17 on", async () => {
    if (version < 17) return;
    await own(
      `CREATE TABLE fired (tag text); ${FUNCTION} $$ BEGIN INSERT INTO public.fired VALUES (tg_tag); END $$;
       CREATE EVENT TRIGGER mine ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION on_ddl()`,
    );
    await runSql(db.superuserUri, "CREATE TABLE by_superuser ()");
    await own("SET neon.event_triggers = off; CREATE TABLE skipped ()");
    await own("SET neon.event_triggers = off; CREATE PUBLICATION everything FOR ALL TABLES");
    expect(await db.sql("SELECT tag FROM fired")).toEqual([]);
    await own("CREATE TABLE seen ()");
    expect(await db.sql("SELECT tag FROM fired")).toEqual([{ tag: "CREATE TABLE" }]);
  });

  test("takes the sandbox's own objects along into a new database, hidden from pg_dump", async () => {
    await own("CREATE DATABASE other");
    const other = db.ownerUri.replace("/neondb?", "/other?");
    await withClient(other, (client) => client.query(`${FUNCTION} 'BEGIN END'; ${TRIGGER}`));
    const outside = await runSql(other, USERS_EVENT_TRIGGERS);
    expect(outside).toEqual([{ evtname: "mine" }]);
    await own("DROP DATABASE other");
  });
});
