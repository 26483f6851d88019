import type { Sandbox } from "../../../sandbox";
import { catalogState, differences, newDatabase, removeDatabases, uriTo } from "../../support/catalogState";
import { ROLE_MADE_BY, runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { roundTrip, type Start } from "../../support/roundTrip";
import { testSandbox } from "../../support/sandbox";
import type { EngineState } from "../../support/engine";
import { liveRun } from "../../support/run";
import { TARGET, testRun } from "../../support/run";
import { Trail } from "../../support/trail";
import { until } from "../../support/until";
import { logicalReplication } from "../../../provider/neon";

const SHOP = {
  sql: `CREATE SCHEMA sales;
        CREATE TABLE orders (id int); ALTER TABLE orders REPLICA IDENTITY NOTHING;
        CREATE TABLE customers (id int PRIMARY KEY);
        CREATE TABLE sales.deals (id int); CREATE TABLE sales.leads (id int PRIMARY KEY);`,
  ups: [{ schemas: ["public", "sales"] }],
  tracked: 4,
} satisfies Start;

const DROP_ROLE = "DROP OWNED BY bemi; DROP ROLE bemi;";

/** A change by hand while the trail exists, and the difference that this change alone causes. */
const BY_HAND: Record<string, Pick<Start, "meanwhile" | "differs">> = {
  "the role": { meanwhile: DROP_ROLE },
  "the publication": { meanwhile: "DROP PUBLICATION bemi" },
  "role and publication": { meanwhile: `${DROP_ROLE} DROP PUBLICATION bemi` },
  "a tracked table": {
    meanwhile: "DROP TABLE public.orders",
    differs: [/^(relation|privilege|replica identity) .*public\.orders/],
  },
  "a tracked schema": {
    meanwhile: "DROP SCHEMA sales CASCADE",
    differs: [/^(schema|relation|privilege|replica identity|constraint) .*sales/],
  },
  "all tracked tables": {
    meanwhile: "DROP TABLE orders, customers; DROP SCHEMA sales CASCADE",
    differs: [/^(schema|relation|privilege|replica identity|constraint) /],
  },
  "the record of identities": {
    // The previous identities are lost with the record. Almost every table was DEFAULT.
    meanwhile: "COMMENT ON SCHEMA _bemi IS NULL",
    differs: ["replica identity public.orders: nothing => default"],
  },
  "the schema with the record and the functions": {
    meanwhile: "DROP SCHEMA _bemi CASCADE",
    differs: ["replica identity public.orders: nothing => default"],
  },
  "the grants": {
    meanwhile: `REVOKE ALL ON ALL TABLES IN SCHEMA public, sales FROM bemi; REVOKE ALL ON SCHEMA public, sales FROM bemi;
                ALTER DEFAULT PRIVILEGES FOR ROLE neondb_owner IN SCHEMA public REVOKE ALL ON TABLES FROM bemi;`,
  },
  "the role's right to log in": { meanwhile: "ALTER ROLE bemi NOLOGIN" },
  "nothing, but restored the identities themselves": {
    meanwhile: `ALTER TABLE orders REPLICA IDENTITY NOTHING; ALTER TABLE sales.deals REPLICA IDENTITY DEFAULT;`,
  },
  "nothing, but renamed and moved tables": {
    meanwhile: `ALTER TABLE orders RENAME TO purchases; ALTER TABLE sales.deals SET SCHEMA public;
                ALTER SCHEMA sales RENAME TO "Sales"`,
    differs: [
      /^(schema|relation|constraint|privilege) /,
      "replica identity public.orders: nothing => -",
      "replica identity public.purchases: - => nothing",
      "replica identity sales.deals: default => -",
      "replica identity public.deals: - => default",
      "replica identity sales.leads: default => -",
      `replica identity "Sales".leads: - => default`,
    ],
  },
};

describe.each(["strict", "neon"] as const)("profile %s", (profile) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase({ profile });
  });
  afterEach(() => removeDatabases(db));
  afterAll(() => db.close());

  test.each(Object.keys(BY_HAND))("destroy after somebody dropped %s", (what) =>
    roundTrip(db, { ...SHOP, ...BY_HAND[what] }),
  );

  test("keeps objects that somebody else made again under the module's names", async () => {
    const database = await newDatabase(db, SHOP);
    const trail = new Trail(() => testRun(db));
    await trail.up({ ...TARGET, database, schemas: ["public"] });
    await runSql(
      uriTo(db.superuserUri, database),
      `DROP PUBLICATION bemi; CREATE PUBLICATION bemi FOR TABLE sales.leads; ${DROP_ROLE}
       CREATE ROLE bemi LOGIN PASSWORD 'of-another-team';
       DROP SCHEMA _bemi CASCADE; CREATE SCHEMA _bemi; CREATE TABLE _bemi.identity (theirs int)`,
    );
    const before = await catalogState(db, database);
    // Nothing marks a role of Neon's API, so that destroy asks what to do about a role that it may not have made.
    if (ROLE_MADE_BY === "sql") await trail.destroy();
    else
      await expect(trail.destroy()).rejects.toThrow(/^Role bemi .* is not deleted: it was made at another/);
    expect(differences(before, await catalogState(db, database))).toEqual([]);
    expect(trail.lines.filter((line) => line.includes("stay"))).toEqual([
      expect.stringMatching(/publication bemi stays/),
      expect.stringMatching(/Replica identities stay as they are: .* not ours/),
      ...(ROLE_MADE_BY === "sql" ? [expect.stringMatching(/Role bemi stays/) as string] : []),
    ]);
  });

  test("revokes privileges that the role was given in another database", async () => {
    const database = await newDatabase(db, SHOP);
    const other = await newDatabase(db, SHOP);
    const state = async () => [await catalogState(db, database), await catalogState(db, other)];
    const before = await state();
    const trail = new Trail(() => testRun(db));
    await trail.up({ ...TARGET, database, schemas: ["public", "sales"] });
    await runSql(
      uriTo(db.ownerUri, other),
      `GRANT SELECT ON orders, sales.deals TO bemi; GRANT USAGE ON SCHEMA sales TO bemi;
       ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO bemi;
       GRANT TEMPORARY ON DATABASE ${other} TO bemi`,
    );
    await trail.destroy();
    const after = await state();
    expect(before.map((facts, index) => differences(facts, after[index] ?? []))).toEqual([[], []]);
  });
});

describe("on Neon", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await testSandbox();
    const { info } = sandbox;
    const run = liveRun(info);
    await logicalReplication.create(
      { projectId: info.projectId, database: info.database, mode: "enable" },
      run,
    );
    await run.end();
  });
  afterAll(() => sandbox.stop());

  test("destroys after the database was dropped and another one took its name", async () => {
    const { info } = sandbox;
    const { projectId } = info;
    const db = { ...info, ownerUri: `${info.ownerUri}&sslrootcert=${encodeURIComponent(info.sslRootCert)}` };
    const before = await catalogState(db, info.database);
    const database = await newDatabase(db, SHOP);
    const trail = new Trail(() => liveRun(info));
    await trail.up({ projectId, database, schemas: ["public", "sales"] });
    await recordsPlace(trail);
    const known = structuredClone(trail.state);
    await runSql(info.superuserUri, `DROP DATABASE ${database} WITH (FORCE)`);
    // A role belongs to the branch, so a refresh must still find it.
    await trail.refresh();
    expect(Object.keys(trail.state)).toEqual([ROLE_MADE_BY === "sql" ? "role" : "apiRole"]);
    await trail.destroy();
    expect(differences(before, await catalogState(db, info.database))).toEqual([]);

    await runSql(info.superuserUri, `CREATE DATABASE ${database} OWNER neondb_owner`);
    await new Trail(() => liveRun(info), known).destroy();
    await runSql(info.superuserUri, `DROP DATABASE ${database} WITH (FORCE)`);
    expect(differences(before, await catalogState(db, info.database))).toEqual([]);
  });

  test("follows a database that was renamed, and destroys what is in it", async () => {
    const { info } = sandbox;
    const { projectId } = info;
    const db = { ...info, ownerUri: `${info.ownerUri}&sslrootcert=${encodeURIComponent(info.sslRootCert)}` };
    const database = await newDatabase(db, SHOP);
    const before = await catalogState(db, database);
    const trail = new Trail(() => liveRun(info), {}, { processPer: "phase" });
    await trail.up({ projectId, database, schemas: ["public", "sales"] });
    await recordsPlace(trail);
    const made = Object.keys(trail.state);
    const renamed = `${database}_renamed`;
    await runSql(info.superuserUri, `ALTER DATABASE ${database} RENAME TO ${renamed}`);
    await trail.refresh();
    expect(Object.keys(trail.state)).toEqual(made);
    for (const { outputs } of Object.values(trail.state)) expect(outputs["databaseName"]).toBe(renamed);
    await trail.destroy();
    expect(trail.lines).toContainEqual(expect.stringContaining(`is called "${renamed}" now`));
    await runSql(info.superuserUri, `ALTER DATABASE ${renamed} RENAME TO ${database}`);
    expect(differences(before, await catalogState(db, database))).toEqual([]);
    await runSql(info.superuserUri, `DROP DATABASE ${database} WITH (FORCE)`);
  });

  test("a deleted branch is gone; a project that the key does not see empties no state", async () => {
    const { info } = sandbox;
    const branch = await newBranch(info, "short-lived");
    const args = { projectId: info.projectId, branch: branch.name, database: info.database };
    const trail = new Trail(() => liveRun(info));
    await trail.up({ ...args, schemas: ["public", "billing"] });
    const hidden = Object.entries(trail.state).map(([name, { inputs, outputs }]) => [
      name,
      { inputs: { ...inputs, projectId: "hidden-project-123456" }, outputs },
    ]);
    const elsewhere = new Trail(() => liveRun(info), Object.fromEntries(hidden) as EngineState);
    const known = structuredClone(elsewhere.state);
    await expect(elsewhere.refresh()).rejects.toThrow(/sees no Neon project "hidden-project-123456"/);
    // The last resource, readiness, has nothing to delete.
    await expect(elsewhere.destroy()).rejects.toThrow(/sees no Neon project "hidden-project-123456"/);
    expect(Object.keys(elsewhere.state)).toEqual(Object.keys(known).filter((name) => name !== "readiness"));

    await branch.remove();
    await trail.destroy();
    expect(trail.state).toEqual({});
  });
});

/** A role of Neon's API is made without a session, so that only a refresh records which database was meant. */
async function recordsPlace(trail: Trail): Promise<void> {
  if (ROLE_MADE_BY === "api") await trail.refresh();
}

/** Makes a branch of the sandbox's project, with a compute. */
async function newBranch(
  { apiUrl, apiKey, projectId }: Sandbox["info"],
  name: string,
): Promise<{ readonly name: string; remove(): Promise<void> }> {
  const ask = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${apiUrl}/projects/${projectId}/branches${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const made = await ask("POST", "", { branch: { name }, endpoints: [{ type: "read_write" }] });
  const { branch } = (await made.json()) as { branch: { id: string } };
  const stateNow = async (): Promise<string | undefined> => {
    const answer = await ask("GET", `/${branch.id}`);
    if (answer.status === 404) return undefined;
    return ((await answer.json()) as { branch: { current_state: string } }).branch.current_state;
  };
  await until(async () => (await stateNow()) === "ready");
  return {
    name,
    remove: async () => {
      await ask("DELETE", `/${branch.id}`);
      await until(async () => (await stateNow()) === undefined);
    },
  };
}
