import { watchedSession } from "../../support/watchedSession";
import type { ReadAccessInputs, ReadAccessOutputs } from "../../../provider/contract/kinds/readAccess";
import type { Planned } from "../../../provider/contract/kind";
import { readAccess } from "../../../provider/postgres/access/readAccess";
import { replicationRole } from "../../../provider/postgres/role/replicationRole";
import { bemiRole } from "../../support/bemiRole";
import { ROLE_MADE_BY, runSql, testDatabase, withClient, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, type TestRun, type TestRunOptions } from "../../support/run";
import { unchanged } from "../../support/unchanged";

let db: TestDatabase;
const runs: TestRun[] = [];

const SCHEMA = `
  CREATE SCHEMA shop; CREATE SCHEMA "Odd.Schema";
  CREATE TABLE public.orders (id int PRIMARY KEY);
  CREATE TABLE public."Mixed ""case"" ☂" (id int);
  CREATE TABLE shop.items (id int PRIMARY KEY, k int) ;
  CREATE TABLE shop.secret (id int);
  CREATE TABLE shop.parts (id int, k int) PARTITION BY RANGE (k);
  CREATE TABLE "Odd.Schema".parts_1 PARTITION OF shop.parts FOR VALUES FROM (0) TO (9);
  CREATE UNLOGGED TABLE shop.cache (id int);
  CREATE VIEW shop.seen AS SELECT 1 AS one;
  CREATE ROLE app LOGIN; GRANT app TO neondb_owner; GRANT CREATE, USAGE ON SCHEMA shop TO app`;

beforeAll(async () => {
  db = await testDatabase({ sql: SCHEMA });
  await runSql(
    db.ownerUri,
    "SET ROLE app; CREATE TABLE shop.apps (id int); RESET ROLE; CREATE ROLE keeper NOLOGIN; CREATE ROLE other NOLOGIN",
  );
  await runSql(db.superuserUri, "CREATE TABLE shop.admins (id int)");
});

afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.end()));
});

afterAll(async () => {
  await db.close();
});

/** Every call is another plugin process. */
function newProcess(options?: TestRunOptions): TestRun {
  const run = testRun(db, options);
  runs.push(run);
  return run;
}

const BEMI = { ...TARGET, adopt: false, managedBy: "shop/dev/orders" };

/** Bemi's role as this module makes it. Neon's API makes one that can read everything already, so there it is a plain one. */
async function makeRole(name: string, run = newProcess()): Promise<void> {
  if (ROLE_MADE_BY === "sql") await replicationRole.create({ ...BEMI, name }, run);
  else await runSql(db.ownerUri, `CREATE ROLE ${name} LOGIN`);
}

function inputs(more: Partial<ReadAccessInputs>): ReadAccessInputs {
  return { ...TARGET, role: "bemi", ...more };
}

type State = ReadAccessInputs & ReadAccessOutputs;

async function make(wanted: ReadAccessInputs, run = newProcess()): Promise<State> {
  return { ...wanted, ...(await readAccess.create(wanted, run)) };
}

/** Effective ACLs, as a REVOKE does not bring back NULL but an equal list. */
async function privileges(): Promise<string[]> {
  const rows = await runSql<{ line: string }>(
    db.superuserUri,
    `SELECT format('%s %s %s', o, coalesce(grantee::regrole::text, '?'), privilege_type) AS line FROM (
       SELECT c.oid::regclass::text AS o, (aclexplode(coalesce(relacl, acldefault('r', relowner)))).* FROM pg_class c
        WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text !~ '^(pg_|information)'
       UNION ALL SELECT 'schema ' || nspname, (aclexplode(coalesce(nspacl, acldefault('n', nspowner)))).* FROM pg_namespace
       UNION ALL SELECT 'default ' || defaclrole::regrole || defaclnamespace::text || defaclobjtype::text, (aclexplode(defaclacl)).*
         FROM pg_default_acl
       UNION ALL SELECT 'database', (aclexplode(datacl)).* FROM pg_database WHERE datname = 'neondb') x ORDER BY 1`,
  );
  return rows.map(({ line }) => line);
}

async function readable(role: string): Promise<string[]> {
  const rows = await runSql<{ name: string }>(
    db.superuserUri,
    `SELECT c.oid::regclass::text AS name FROM pg_class c
      WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text !~ '^(pg_|information)'
        AND has_table_privilege($1, c.oid, 'SELECT') AND has_schema_privilege($1, relnamespace, 'USAGE') ORDER BY 1`,
    [role],
  );
  return rows.map(({ name }) => name);
}

describe("with a role that this module made", () => {
  beforeAll(async () => {
    await makeRole("bemi");
  });

  test("makes selected and future tables readable, and leaves nothing after destroy", async () => {
    const before = await privileges();
    const run = newProcess();
    const state = await make(inputs({ schemas: ["shop"], excludeTables: ["shop.secret"] }), run);
    expect(await readable("bemi")).toEqual(['"Odd.Schema".parts_1', "shop.apps", "shop.items", "shop.parts"]);
    // The superuser's table: said, and counted.
    expect(state).toMatchObject({ readable: 4, wanted: 5 });
    expect(run.lines.join()).toMatch(/SELECT on shop\.admins/);

    await runSql(
      db.ownerUri,
      "CREATE TABLE shop.mine (id int); SET ROLE app; CREATE TABLE shop.theirs (id int)",
    );
    expect(await readable("bemi")).toEqual(expect.arrayContaining(["shop.mine", "shop.theirs"]));
    expect((await readAccess.read(state, newProcess()))?.drift).toBeUndefined();

    await readAccess.delete(state, newProcess());
    await readAccess.delete(state, newProcess());
    await runSql(db.ownerUri, "DROP TABLE shop.mine, shop.theirs");
    expect(await privileges()).toEqual(before);
  });

  test("shows a lost grant as drift, and grants only that one again", async () => {
    const state = await make(inputs({ tables: ["shop.items", 'public."Mixed ""case"" ☂"'] }));
    expect(await readable("bemi")).toEqual(['"Mixed ""case"" ☂"', "shop.items"]);
    await runSql(db.ownerUri, "REVOKE SELECT ON shop.items FROM bemi");
    const observed = await readAccess.read(state, newProcess());
    expect(observed).toMatchObject({
      drift: { missingPrivileges: "SELECT on shop.items" },
      outputs: { readable: 1, wanted: 2 },
    });
    const [untouched] = await xmin();
    await readAccess.update(state, state, newProcess());
    expect(await readable("bemi")).toEqual(['"Mixed ""case"" ☂"', "shop.items"]);
    expect((await xmin())[0]).toEqual(untouched);
    await readAccess.delete(state, newProcess());
  });

  function xmin() {
    return runSql(
      db.superuserUri,
      `SELECT xmin::text FROM pg_class WHERE relname LIKE 'Mixed%' AND relkind = 'r'`,
    );
  }

  test("revokes what leaves the selection, and nothing else", async () => {
    const before = await privileges();
    const state = await make(inputs({ schemas: ["shop", "public"] }));
    const narrowed = inputs({ schemas: ["public"] });
    const outputs = await readAccess.update(state, narrowed, newProcess());
    expect(await readable("bemi")).toEqual(['"Mixed ""case"" ☂"', "orders"]);
    expect(outputs).toMatchObject({ readable: 2, wanted: 2 });
    await readAccess.delete({ ...narrowed, ...outputs }, newProcess());
    expect(await privileges()).toEqual(before);
  });

  test("covers new schemas with allTables, by default privileges of the whole database", async () => {
    const before = await privileges();
    const state = await make(inputs({ allTables: true }));
    await runSql(db.ownerUri, "CREATE SCHEMA fresh; CREATE TABLE fresh.t (id int)");
    expect(await readable("bemi")).toContain("fresh.t");
    await runSql(db.ownerUri, "DROP SCHEMA fresh CASCADE");
    await readAccess.delete(state, newProcess());
    expect(await privileges()).toEqual(before);
  });

  test("refuses names that cannot be honoured before it grants anything", async () => {
    const before = await privileges();
    const wanted = inputs({ tables: ["shop.items", "shop.Orders", "shop.seen", "shop.cache", "nodot"] });
    await expect(make(wanted)).rejects.toThrow(
      /Nothing was changed[^]*shop.Orders is not a table[^]*public.orders[^]*shop.seen is a view[^]*shop.cache is unlogged[^]*"nodot" is not a table name/,
    );
    expect(await privileges()).toEqual(before);
  });

  test("takes as many statements for a thousand tables as for one", async () => {
    await runSql(
      db.ownerUri,
      `CREATE SCHEMA many; DO $$ BEGIN FOR i IN 1..1000 LOOP EXECUTE format('CREATE TABLE many.t%s (id int)', i); END LOOP; END $$`,
    );
    const counted = async (wanted: ReadAccessInputs) => {
      const run = newProcess();
      let statements = 0;
      const counting: TestRun = {
        ...run,
        sql: (target, work) =>
          run.sql(target, (session) =>
            work(
              watchedSession(session, (_, send) => {
                statements += 1;
                return send();
              }),
            ),
          ),
      };
      const state = await make(wanted, counting);
      await readAccess.delete(state, counting);
      return statements;
    };
    expect(await counted(inputs({ schemas: ["many"] }))).toBe(await counted(inputs({ schemas: ["public"] })));
    await runSql(db.ownerUri, "DROP SCHEMA many CASCADE");
  });
});

describe("with a role that existed before", () => {
  const wanted = () => inputs({ role: "keeper", schemas: ["shop"] });

  beforeAll(async () => {
    await runSql(
      db.ownerUri,
      `GRANT USAGE ON SCHEMA shop TO keeper; GRANT SELECT ON shop.items TO keeper;
       ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO keeper`,
    );
  });

  test("leaves the role exactly what it had", async () => {
    const before = await privileges();
    const state = await make(wanted());
    expect(await readable("keeper")).toContain("shop.parts");
    await runSql(db.ownerUri, "SET ROLE app; CREATE TABLE shop.since (id int)");
    await readAccess.delete(state, newProcess());
    await runSql(db.ownerUri, "SET ROLE app; DROP TABLE shop.since");
    expect(await privileges()).toEqual(before);
    expect(await readable("keeper")).toEqual(["shop.items"]);
  });

  test("leaves the role exactly what it had after a create that was killed and repeated", async () => {
    const before = await privileges();
    await make(wanted());
    const state = await make(wanted());
    await readAccess.delete(state, newProcess());
    await readAccess.delete(state, newProcess());
    expect(await privileges()).toEqual(before);
  });

  test("leaves the role exactly what it had on a copied branch", async () => {
    const origin = await make(wanted());
    const held = await privileges();
    const copy = { branchId: "br-other-lake-123456" };
    const state = { ...wanted(), ...(await readAccess.create(wanted(), newProcess(copy))) };
    await runSql(db.ownerUri, "REVOKE SELECT ON shop.secret FROM keeper");
    await readAccess.update(state, wanted(), newProcess(copy));
    expect(await readable("keeper")).toContain("shop.secret");
    await readAccess.delete(state, newProcess(copy));
    expect(held).toEqual(expect.arrayContaining(await privileges()));
    expect(await readable("keeper")).toContain("shop.parts");
    await runSql(
      db.ownerUri,
      'REVOKE SELECT ON shop.parts, shop.secret, shop.apps, "Odd.Schema".parts_1 FROM keeper',
    );
    await readAccess.delete(origin, newProcess());
  });

  test("grants nothing to a role that can read everything, and makes no record", async () => {
    await runSql(db.superuserUri, "GRANT pg_read_all_data TO other");
    const before = await privileges();
    const state = await make(inputs({ role: "other", schemas: ["shop"] }));
    expect(state).toMatchObject({ readable: 6, wanted: 6 });
    expect(await privileges()).toEqual(before);
    await readAccess.delete(state, newProcess());
    expect(await privileges()).toEqual(before);
  });
});

describe("a preview", () => {
  const wanted = inputs({ role: "previewed", schemas: ["shop"], excludeTables: ["shop.secret"] });

  test("says what a role that is only planned will get, and changes nothing", async () => {
    const run = newProcess();
    const planned = await unchanged(db, async () => {
      await bemiRole.plan({ ...BEMI, name: "previewed" }, run);
      return readAccess.plan(wanted, run);
    });
    // A role of Neon's API can read everything already.
    const granted = [
      "Role previewed gets USAGE on 2 schemas: Odd.Schema, shop.",
      'Role previewed gets SELECT on 4 tables: "Odd.Schema".parts_1, shop.apps, shop.items, shop.parts.',
      "Role previewed gets access to what app, neondb_owner will create in 1 schema: shop (2 default privileges).",
      "Role previewed does not get SELECT on shop.admins: neondb_owner may not grant it.",
      expect.stringMatching(
        /^Role previewed does not get default privileges on what cloud_admin will create/,
      ),
    ];
    expect(planned.changes).toEqual(ROLE_MADE_BY === "sql" ? granted : []);
    expect(planned.outputs).toMatchObject({ wanted: 5, branchName: "main" });
  });

  test("says nothing once it has been granted, and what a changed selection revokes and grants", async () => {
    const run = newProcess();
    await makeRole("previewed", run);
    const all = inputs({ role: "previewed", allTables: true });
    const state = await make(all, run);
    const plan = (to: ReadAccessInputs) => unchanged(db, () => readAccess.plan(to, newProcess(), state));
    const told = ({ changes }: Planned<unknown>) => changes.filter((line) => !line.includes("does not get"));
    expect(told(await plan(all))).toEqual([]);

    const narrowed = inputs({ role: "previewed", schemas: ["public"] });
    const lines = told(await plan(narrowed));
    expect(lines).toEqual([
      expect.stringMatching(
        /^Role previewed loses access to what .* will create in the database \(\d default/,
      ),
      expect.stringMatching(/^Role previewed loses SELECT on 5 tables: "Odd.Schema".parts_1, shop.apps/),
      expect.stringMatching(/^Role previewed loses USAGE on 2 schemas: /),
      "Role previewed gets access to what neondb_owner will create in 1 schema: public (1 default privilege).",
    ]);
    const outputs = await readAccess.update(state, narrowed, newProcess());
    expect(told(await readAccess.plan(narrowed, newProcess(), { ...narrowed, ...outputs }))).toEqual([]);
    await readAccess.delete({ ...narrowed, ...outputs }, newProcess());
  });

  test("records first what a role holds that existed before", async () => {
    const { changes } = await unchanged(db, () =>
      readAccess.plan(inputs({ role: "keeper", tables: ["shop.parts"] }), newProcess()),
    );
    expect(changes[0]).toBe(
      "What role keeper may read already is recorded in the comment of schema _bemi, so that a destroy leaves it.",
    );
  });

  test("refuses a schema _bemi of another role before anything is granted", async () => {
    await runSql(db.superuserUri, "CREATE SCHEMA _bemi AUTHORIZATION app");
    const before = await privileges();
    const wanted = inputs({ role: "keeper", tables: ["shop.parts"] });
    await expect(readAccess.plan(wanted, newProcess())).rejects.toThrow(/schema _bemi belongs to app/);
    await expect(readAccess.create(wanted, newProcess())).rejects.toThrow(/schema _bemi belongs to app/);
    expect(await privileges()).toEqual(before);
    await runSql(db.superuserUri, "DROP SCHEMA _bemi");
  });

  test("refuses a role that does not exist, and names that cannot be honoured", async () => {
    const plan = (more: Partial<ReadAccessInputs>) => readAccess.plan(inputs(more), newProcess());
    await expect(plan({ role: "nobody", schemas: ["shop"] })).rejects.toThrow(/no role "nobody"/);
    await expect(plan({ role: "keeper", tables: ["shop.seen"] })).rejects.toThrow(/shop.seen is a view/);
  });
});

test("changes no privilege of a table in a way that makes a TRUNCATE of the app fail", async () => {
  // Slow enough that a TRUNCATE meets each statement before it is committed.
  await runSql(
    db.superuserUri,
    `CREATE FUNCTION shop.slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); END $$;
     CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('GRANT', 'REVOKE') EXECUTE FUNCTION shop.slow();
     CREATE ROLE quick`,
  );
  const errors: string[] = [];
  await withClient(db.ownerUri, async (client) => {
    const ended = new AbortController();
    const truncating = (async () => {
      while (!ended.signal.aborted)
        await client.query("TRUNCATE shop.items").catch((error: unknown) => errors.push(String(error)));
    })();
    try {
      const state = await make(inputs({ role: "quick", tables: ["public.orders", "shop.items"] }));
      await readAccess.delete(state, newProcess());
    } finally {
      ended.abort();
      await truncating;
    }
  });
  await runSql(db.superuserUri, "DROP EVENT TRIGGER slow; DROP FUNCTION shop.slow()");
  expect(errors).toEqual([]);
});

test("grants what it can while a table is locked, and the next up does the rest", async () => {
  await runSql(db.ownerUri, "CREATE ROLE patient");
  const wanted = inputs({ role: "patient", tables: ["public.orders", "shop.secret"] });
  await withClient(db.ownerUri, async (holder) => {
    await holder.query("BEGIN; LOCK TABLE shop.secret IN ACCESS EXCLUSIVE MODE");
    await expect(make(wanted)).rejects.toThrow(/55P03.*Held by session/s);
    await holder.query("ROLLBACK");
  });
  expect(await readable("patient")).toEqual(["orders"]);
  const state = await make(wanted);
  expect(state.readable).toBe(2);
  await readAccess.delete(state, newProcess());
});

test("is imported with the schemas that the role may read", async () => {
  const find = (role: string) =>
    readAccess.find?.(`cool-darkness-123456/main/neondb/${role}`, newProcess()) ?? Promise.resolve(undefined);
  const found = await find("keeper");
  expect(found?.inputs).toEqual({ ...TARGET, role: "keeper", schemas: ["shop"] });
  await runSql(db.ownerUri, "CREATE ROLE blind");
  expect([await find("blind"), await find("nobody")]).toEqual([undefined, undefined]);
  await expect(readAccess.find?.("keeper", newProcess())).rejects.toThrow(
    /does not name a ReadAccess to import\. Write PROJECT\/BRANCH\/DATABASE\/ROLE/,
  );
});

test("treats a role that is gone as gone, and refuses to grant it anything", async () => {
  await runSql(db.ownerUri, "CREATE ROLE brief");
  const state = await make(inputs({ role: "brief", tables: ["public.orders"] }));
  await runSql(
    db.ownerUri,
    "REVOKE SELECT ON orders FROM brief; REVOKE USAGE ON SCHEMA public FROM brief; DROP ROLE brief",
  );
  expect(await readAccess.read(state, newProcess())).toBeUndefined();
  await readAccess.delete(state, newProcess());
  const [left] = await runSql<{ n: number }>(
    db.superuserUri,
    "SELECT count(*)::int AS n FROM pg_namespace WHERE nspname LIKE '\\_%'",
  );
  expect(left?.n).toBe(0);
  await expect(make(inputs({ role: "brief", tables: ["public.orders"] }))).rejects.toThrow(/no role "brief"/);
});
