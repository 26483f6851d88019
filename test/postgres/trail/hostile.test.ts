import { Client } from "pg";
import { quoteLiteral } from "../../../provider/postgres/sql/quote";
import { catalogState, differences } from "../../support/catalogState";
import { runSql, testDatabase, withClient, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun } from "../../support/run";
import { Trail, type TrailArgs } from "../../support/trail";
import { HOSTILE_ROLE, sprungIn, TRAPS, WITH_EVENT_TRIGGERS } from "../../support/traps";

const ARGS: TrailArgs = { ...TARGET, schemas: ["app"] };

describe.each(["strict", "neon"] as const)("profile %s", (profile) => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await testDatabase({ profile });
    await runSql(db.superuserUri, HOSTILE_ROLE);
    await runSql(db.superuserUri, TRAPS);
    // Beside a publication, the identity that each table gets is judged.
    await runSql(db.superuserUri, "CREATE PUBLICATION elsewhere FOR ALL TABLES WITH (publish = 'insert')");
  });
  afterAll(() => db.close());

  test("no code of a table's owner runs with our rights", async () => {
    const before = sprung();
    const trail = new Trail(() => testRun(db));
    await trail.previewUp(ARGS);
    await trail.up(ARGS);
    await runSql(
      db.superuserUri,
      `${WITH_EVENT_TRIGGERS} SET SESSION AUTHORIZATION hostile;
       CREATE TABLE app.later (note text DEFAULT app.trap('later'::text));
       ALTER TABLE app.bait REPLICA IDENTITY NOTHING;
       -- Whoever names this index as a replica identity evaluates its expression.
       DROP INDEX app.by_code;
       CREATE UNIQUE INDEX by_code ON app.indexed ((code || app.trap('x'::text)))`,
    );
    // The functions of the event triggers run as whoever changes the table, here as a superuser.
    await runSql(db.superuserUri, `${WITH_EVENT_TRIGGERS} ALTER TABLE app.later REPLICA IDENTITY DEFAULT`);
    await trail.refresh();
    await trail.previewUp({ ...ARGS, excludeTables: ["app.parted"] });
    await trail.up({ ...ARGS, excludeTables: ["app.generated"] });
    await trail.up(ARGS);
    await trail.destroy();
    expect(sprung().slice(before.length)).toEqual([]);
    // The traps work: this is what a trail must never do.
    await runSql(db.superuserUri, "EXPLAIN UPDATE app.bait SET id = DEFAULT");
    expect(sprung()).not.toEqual(before);
  });

  test("what another role has made is not the trail's, whatever its comment says", async () => {
    const trail = new Trail(() => testRun(db));
    await trail.up(ARGS);
    const [record] = await runSql<{ comment: string }>(
      plainUri(),
      "SELECT obj_description('_bemi'::regnamespace, 'pg_namespace') AS comment",
    );
    const [mark] = await runSql<{ comment: string }>(
      plainUri(),
      "SELECT obj_description(oid, 'pg_publication') AS comment FROM pg_publication WHERE pubname = 'bemi'",
    );
    await trail.destroy();
    const before = sprung();
    const forge = (statements: string): Promise<unknown> =>
      runSql(
        plainUri(),
        `GRANT CREATE ON DATABASE neondb TO hostile; SET SESSION AUTHORIZATION hostile; ${statements}`,
      );
    const refuses = async (words: RegExp): Promise<void> => {
      const state = await catalogState({ superuserUri: plainUri() }, "neondb");
      await expect(trail.previewUp(ARGS)).rejects.toThrow(words);
      expect(differences(state, await catalogState({ superuserUri: plainUri() }, "neondb"))).toEqual([]);
    };
    await forge(
      `CREATE SCHEMA _bemi; CREATE TABLE _bemi.identity (relid oid PRIMARY KEY, previous "char", index_name text);
       CREATE TRIGGER trap BEFORE INSERT OR UPDATE OR DELETE ON _bemi.identity
         FOR EACH ROW EXECUTE FUNCTION app.trap_trigger();
       CREATE VIEW _bemi.lock AS SELECT;
       COMMENT ON SCHEMA _bemi IS ${quoteLiteral(record?.comment ?? "")}`,
    );
    await refuses(
      /schema _bemi belongs to hostile, not to neondb_owner: .* although its comment says so.*drop it/,
    );
    await forge(
      `DROP SCHEMA _bemi CASCADE; CREATE PUBLICATION bemi;
       COMMENT ON PUBLICATION bemi IS ${quoteLiteral(mark?.comment ?? "")}`,
    );
    await refuses(
      /Publication "bemi" exists already and belongs to hostile.*ALTER Publication "bemi" OWNER TO/,
    );
    await forge("DROP PUBLICATION bemi");
    expect(sprung()).toEqual(before);
  });

  test("settings, locks and marks of another role neither silence a trail nor hold it up", async () => {
    const hostile = new Client({
      connectionString: db.superuserUri,
      options:
        "-c search_path=pg_catalog -c pulumi_neon_bemi.parameters={} -c _bemi.before=x -c pulumi_neon_bemi.result={} -c default_transaction_isolation=read\\ committed",
    });
    await hostile.connect();
    try {
      await hostile.query(`${WITH_EVENT_TRIGGERS} SET SESSION AUTHORIZATION hostile`);
      await hostile.query(`SELECT pg_advisory_lock(hashtext('pulumi-neon-bemi'), hashtext('_bemi')),
        pg_advisory_lock(hashtext('pulumi-neon-bemi')), pg_advisory_lock(hashtext('pulumi-neon-bemi publication'))`);
      const trail = new Trail(() => testRun(db));
      await trail.up(ARGS);
      await hostile.query(
        `COMMENT ON SCHEMA app IS 'Made by pulumi-neon-bemi; it is removed by pulumi destroy. {}'`,
      );
      await hostile.query(`DO $$ BEGIN
        PERFORM set_config('_bemi.busy', statement_timestamp()::text, true);
        CREATE TABLE app.quiet (id int);
      END $$`);
      const [row] = await runSql<{ tracked: boolean }>(
        plainUri(),
        `SELECT c.relreplident = 'f' AND EXISTS (SELECT FROM pg_publication_rel WHERE prrelid = c.oid) AS tracked
           FROM pg_class c WHERE c.oid = 'app.quiet'::regclass`,
      );
      expect(row?.tracked).toBe(profile === "neon");
      await trail.up(ARGS);
      expect((await trail.refresh())["publication"]).toEqual({});
      await trail.destroy();
      expect(await runSql(plainUri(), "SELECT FROM pg_namespace WHERE nspname = '_bemi'")).toEqual([]);
    } finally {
      await hostile.query("COMMENT ON SCHEMA app IS NULL; DROP TABLE IF EXISTS app.quiet");
      await hostile.end();
    }
  });

  /** The superuser's, for statements of the test that name catalogs as usual. */
  function plainUri(): string {
    const uri = new URL(db.superuserUri);
    uri.searchParams.set("options", "-c search_path=pg_catalog");
    return uri.href;
  }

  test("an index that changes its name while we wait for its table is not evaluated", async () => {
    const before = ours();
    const trail = new Trail(() => testRun(db));
    await runSql(
      db.superuserUri,
      `${WITH_EVENT_TRIGGERS} SET SESSION AUTHORIZATION hostile;
       CREATE TABLE app.renamed (code text NOT NULL); CREATE UNIQUE INDEX by_name ON app.renamed (code);
       CREATE UNIQUE INDEX trapped ON app.renamed ((code || app.trap('x'::text)));
       ALTER TABLE app.renamed REPLICA IDENTITY USING INDEX by_name`,
    );
    const args: TrailArgs = { ...ARGS, schemas: undefined, tables: ["app.renamed"] };
    await trail.up(args);
    await withClient(db.superuserUri, async (hostile) => {
      await hostile.query(
        "SET SESSION AUTHORIZATION hostile; SET search_path = pg_catalog; BEGIN; LOCK TABLE app.renamed IN ACCESS SHARE MODE",
      );
      const destroyed = trail.destroy();
      // Within the 100 ms of one attempt.
      await hostile.query(`DO $$ BEGIN
        WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'app.renamed'::regclass) LOOP
          PERFORM pg_sleep(0.001);
        END LOOP;
        ALTER INDEX app.by_name RENAME TO other;
        ALTER INDEX app.trapped RENAME TO by_name;
      END $$; COMMIT`);
      await destroyed;
    });
    expect(ours()).toEqual(before);
    const [after] = await runSql<{ identity: string }>(
      db.superuserUri,
      "SELECT relreplident AS identity FROM pg_catalog.pg_class WHERE oid OPERATOR(pg_catalog.=) 'app.renamed'::regclass",
    );
    expect(after?.identity).not.toBe("f");
  });

  /** Without those of the test's own statements, which run with the search_path of the database. */
  function ours(): string[] {
    return sprung().filter((line) => line.endsWith("neondb_owner"));
  }

  function sprung(): string[] {
    return sprungIn(db.serverLog);
  }
});
