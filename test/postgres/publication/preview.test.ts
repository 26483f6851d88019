import { publication } from "../../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../../provider/postgres/identity/replicaIdentity";
import { catalogState, differences } from "../../support/catalogState";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { testRun, type TestRun } from "../../support/run";
import {
  change,
  identityInputs,
  preview,
  publicationInputs,
  up,
  type Stack,
  type TrackingArgs,
} from "../../support/stack";
import { until } from "../../support/until";

const PUBLIC = { schemas: ["public"] };
const SCHEMA = "The schema _bemi is created, for the record of the tables' previous identities.";

let db: TestDatabase;
let run: TestRun;

beforeAll(async () => {
  db = await testDatabase({ owner: "sql" });
});
afterAll(async () => {
  await db.close();
});
beforeEach(async () => {
  run = testRun(db);
  await db.sql(`CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE notes (note text);
    CREATE TABLE quiet (id int PRIMARY KEY); ALTER TABLE quiet REPLICA IDENTITY NOTHING;
    CREATE TABLE whole (note text); ALTER TABLE whole REPLICA IDENTITY FULL`);
});
afterEach(async () => {
  await run.end();
  await db.clear();
});

/** A preview in a process of its own, which must leave everything as it is. */
async function previewed(
  args: TrackingArgs,
  options: { stack?: Stack; adopt?: boolean } = {},
): Promise<Record<string, readonly string[]>> {
  const before = await catalogState(db, "neondb");
  const process = testRun(db);
  try {
    return await preview(process, args, options);
  } finally {
    await process.end();
    expect(differences(before, await catalogState(db, "neondb"))).toEqual([]);
  }
}

test("a first preview names what becomes FULL, and plans the publication as if that were done", async () => {
  const { identity, publication: published } = await previewed(PUBLIC);
  expect(identity).toEqual([
    SCHEMA,
    "3 tables get the replica identity FULL: public.notes, public.orders, public.quiet (now DEFAULT: 2, NOTHING: 1)",
    "1 table has the replica identity FULL already, and keeps it on destroy: public.whole",
  ]);
  expect(published).toEqual([
    "The publication bemi is created.",
    "4 tables are added to the publication bemi: public.notes, public.orders, public.quiet, public.whole",
  ]);
});

/** Stops every CREATE PUBLICATION in its transaction for as long as `held.gate` has a row. */
const HOLD = `CREATE SCHEMA held; CREATE TABLE held.gate AS SELECT 1 AS closed;
  CREATE FUNCTION held.wait() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN
    WHILE EXISTS (SELECT FROM held.gate) LOOP PERFORM pg_catalog.pg_sleep(0.02); END LOOP;
  END $$;
  CREATE EVENT TRIGGER held ON ddl_command_end WHEN TAG IN ('CREATE PUBLICATION') EXECUTE FUNCTION held.wait()`;

test("ten previews look while an up is in the middle of a transaction; none waits, and the up completes", async () => {
  await runSql(db.superuserUri, HOLD);
  const upping = up(run, PUBLIC);
  try {
    await until(async () => {
      const [waiting] = await db.sql(
        "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_xid IS NOT NULL",
      );
      return waiting !== undefined;
    });
    const previews = await Promise.all(Array.from({ length: 10 }, () => previewed(PUBLIC)));
    for (const { publication: published } of previews)
      expect(published?.[0]).toBe("The publication bemi is created.");
    expect(await db.sql("SELECT FROM pg_publication")).toEqual([]);
  } finally {
    await runSql(db.superuserUri, "DELETE FROM held.gate");
    await upping;
    await runSql(db.superuserUri, "DROP SCHEMA held CASCADE");
  }
  expect(await db.sql("SELECT pubname FROM pg_publication")).toEqual([{ pubname: "bemi" }]);
});

test("many tables are counted, and the first few named", async () => {
  await db.sql(Array.from({ length: 14 }, (_, n) => `CREATE TABLE t${n + 10} (id int)`).join("; "));
  const { identity = [] } = await previewed(PUBLIC);
  expect(identity[1]).toMatch(
    /^17 tables get .*: public\.notes, public\.orders, public\.quiet, public\.t10, public\.t11 and 12 more/,
  );
});

test("the planned outputs are those of the up that follows", async () => {
  const planned = await planBoth(PUBLIC);
  const stack = await up(run, PUBLIC);
  expect(stack).toMatchObject(planned);
  await run.end();
  await db.sql("CREATE TABLE late (note text); ALTER TABLE orders REPLICA IDENTITY DEFAULT");
  const narrower = { ...PUBLIC, excludeTables: ["public.quiet"] };
  const again = await planBoth(narrower, stack);
  expect(again.identity.ownershipId).toBe(stack.identity.ownershipId);
  expect(again.publication.ownershipId).toBe(stack.publication.ownershipId);
  expect(await change(run, stack, narrower)).toMatchObject(again);
});

test("a preview of a change names what leaves, what joins and what was reset", async () => {
  const stack = await up(run, PUBLIC);
  await run.end();
  await db.sql("CREATE TABLE late (note text); ALTER TABLE orders REPLICA IDENTITY DEFAULT");
  const narrower = { ...PUBLIC, excludeTables: ["public.quiet", "public.whole"] };
  expect(await previewed(narrower, { stack })).toEqual({
    identity: ["2 tables get the replica identity FULL: public.late, public.orders (now DEFAULT)"],
    publication: [
      "1 table is added to the publication bemi: public.late",
      "2 tables are taken out of the publication bemi: public.quiet, public.whole",
      "1 table gets back the replica identity of before instead of FULL: public.quiet",
    ],
  });
});

test("a preview where nothing has changed says nothing about tables", async () => {
  const stack = await up(run, PUBLIC);
  await run.end();
  expect(await previewed(PUBLIC, { stack })).toEqual({
    identity: [],
    publication: [],
  });
});

test("what a preview refuses is what up refuses", async () => {
  const wrong = { tables: ["public.order"] };
  const words = /public\.order is not a table.*Did you mean public\.orders\?/;
  await expect(previewed(wrong)).rejects.toThrow(words);
  await expect(up(run, wrong)).rejects.toThrow(words);
  await db.sql("CREATE PUBLICATION bemi");
  await expect(previewed(PUBLIC)).rejects.toThrow(/"bemi" exists already.*adopt/);
  const { publication: published } = await previewed(PUBLIC, { adopt: true });
  expect(published).toContain("The publication bemi is adopted; destroy gives it back as it is now.");
});

test("an exclusion without a table and an empty selection are warned of, in preview and up", async () => {
  const typo = { ...PUBLIC, excludeTables: ["public.ordrs"] };
  const warning =
    "Warning: public.ordrs is excluded, but there is no such table. Did you mean public.orders?";
  const changes = await previewed(typo);
  expect(changes["identity"]).toContain(warning);
  // Once: the publication warns only where it is used without a ReplicaIdentity.
  expect(changes["publication"]).not.toContain(warning);
  expect((await publication.plan(publicationInputs(typo), run)).changes).toContain(warning);
  await up(run, typo);
  expect(run.lines.filter((line) => line === warning)).toHaveLength(1);
  await run.end();

  await db.sql("CREATE SCHEMA void");
  const empty = "Warning: The selection comes to no table, so nothing is published.";
  expect((await previewed({ schemas: ["void"] }))["publication"]).toContain(empty);
});

async function planBoth(
  args: TrackingArgs,
  stack?: Stack,
): Promise<{ identity: Partial<Stack["identity"]>; publication: Partial<Stack["publication"]> }> {
  const process = testRun(db);
  try {
    const identity = await replicaIdentity.plan(identityInputs(args), process, stack?.identity);
    const published = await publication.plan(publicationInputs(args), process, stack?.publication);
    return { identity: identity.outputs, publication: published.outputs };
  } finally {
    await process.end();
  }
}
