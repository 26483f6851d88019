import { readFile } from "node:fs/promises";
import path from "node:path";
import { compareFacts } from "../../tools/start/catalogs";
import { errorsIn } from "../support/cli";
import { ROLE_BY_API, trailArgs } from "../support/trailRole";
import { TrailStack } from "../support/trailStack";

// On a busy machine a command of the CLI can take many seconds.
jest.setTimeout(300_000);

/** One stack under one name after the other. Each test begins in the state that the test before it left. */
let stack: TrailStack;
let connection: unknown;

const UNCHANGED = /Resources:\n\s+9 unchanged\n/;

beforeAll(async () => {
  stack = await TrailStack.open({ name: "orders", exports: ["connection"] });
  await stack.cli.must(["up", "--yes", "--skip-preview"]);
  connection = await stack.cli.output("connection");
});

afterAll(() => stack.close());

/** Expects preview and up to find nothing to do, and the database to stay as it is. */
async function expectUnchanged(): Promise<void> {
  const { cli } = stack;
  const now = await stack.facts();
  const preview = await cli.must(["preview"]);
  expect(preview).toMatch(UNCHANGED);
  expect(preview).not.toContain("Diagnostics:");
  expect(await cli.must(["up", "--yes", "--skip-preview"])).toMatch(UNCHANGED);
  expect(compareFacts(now, await stack.facts())).toEqual([]);
  expect(await cli.output("connection")).toEqual(connection);
}

test("a renamed stack is unchanged", async () => {
  await stack.cli.inFolder(["stack", "rename", "production", "--stack", "test"]);
  stack.cli.stack = "production";
  await expectUnchanged();
});

// Pulumi makes what has a new name before it removes what has the old one, whose role and publication are in the way.
test("a component renamed without an alias is one clear error, and its old name works on", async () => {
  const { cli } = stack;
  const now = await stack.facts();
  await stack.declare("shop");
  const outcomes = await Promise.all([cli.run(["preview"]), cli.run(["up", "--yes", "--skip-preview"])]);
  for (const { code, output } of outcomes) {
    expect(code).not.toBe(0);
    const errors = errorsIn(output);
    expect(errors).toEqual([
      // A role of Neon's API has no mark that names its resource.
      expect.stringMatching(
        ROLE_BY_API
          ? /Publication "bemi" exists already.*orders-/
          : /Role "bemi" exists already.*orders-role.* Publication "bemi" exists already.*orders-/,
      ),
    ]);
    expect(errors[0]).toMatch(
      /this trail was only renamed .*, change the name back and run up, .* \{ aliases: \[\{ name: "orders" \}\] \}/,
    );
  }
  // What the error says to do: then, in the next test, the alias.
  await stack.declare("orders");
  // The component itself, which has nothing in the database.
  expect(await cli.must(["up", "--yes", "--skip-preview"])).toMatch(/ - 1 deleted\n +9 unchanged\n/);
  expect(compareFacts(now, await stack.facts())).toEqual([]);
  expect(await cli.output("connection")).toEqual(connection);
});

test("a component renamed with an alias is unchanged", async () => {
  await stack.declare("shop", `{ aliases: [{ name: "orders" }] }`);
  await expectUnchanged();
  expect(await stack.cli.state()).toContain("shop-publication");
  // After one up, the alias has done its work.
  await stack.declare("shop");
  expect(await stack.cli.must(["preview"])).toMatch(UNCHANGED);
});

test("a stack moved to another backend is unchanged, and destroy restores everything", async () => {
  const { cli } = stack;
  await cli.state();
  const file = path.join(cli.folder, "state.json");
  expect(await readFile(file, "utf8")).toContain("ownershipId");
  await cli.moveTo("elsewhere");
  await cli.inFolder(["stack", "import", "--stack", cli.stack, "--file", file]);
  await expectUnchanged();
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  await stack.expectRestored();
});

/** Every kind whose object has no mark, declared by itself, each under a name that begins with the prefix. */
function withoutMarks(prefix: string): string {
  const { projectId, database } = stack.info;
  return `
    const { ApiRole, IpAllow, LogicalReplication, ReadAccess, ReplicationSlot } = require("pulumi-neon-bemi");
    const [projectId, place] = [${JSON.stringify(projectId)}, ${JSON.stringify({ projectId, database })}];
    new LogicalReplication("${prefix}-replication", { projectId });
    const api = new ApiRole("${prefix}-api", { ...place, name: "bemi_api", adopt: true });
    new ReadAccess("${prefix}-access", { ...place, role: "reader", schemas: ["public"] });
    new ReplicationSlot("${prefix}-slot", { ...place, name: "bemi_api", role: api.username, dropOnDestroy: true });
    new IpAllow("${prefix}-list", { projectId, ips: ["127.0.0.0/8", "203.0.113.7"], restrictOpenProject: true });
    exports.password = api.password;`;
}

// Pulumi creates what has a new name, and then deletes what has the old one: the same object, as nothing marks it.
test("what has no mark survives a new name without an alias, and destroy still removes it", async () => {
  const { cli } = stack;
  await stack.sql("CREATE ROLE reader");
  await cli.program(withoutMarks("old"));
  await cli.must(["up", "--yes", "--skip-preview"]);
  const password = await cli.output("password");
  await stack.sql("SELECT pg_create_logical_replication_slot('bemi_api', 'pgoutput')");
  const now = await stack.facts();

  await cli.program(withoutMarks("new"));
  const output = await cli.must(["up", "--yes"]);
  expect(output).toMatch(/\+ 5 created\n +- 5 deleted\n/);
  expect(compareFacts(now, await stack.facts())).toEqual([]);
  expect(await cli.output("password")).toBe(password);

  await cli.must(["destroy", "--yes", "--skip-preview"]);
  await stack.sql("DROP ROLE reader");
  await stack.expectRestored();
});

describe("the record of previous identities, which trails of one database share", () => {
  /** Trails over the same tables, each with objects of its own name. */
  function trails(...names: readonly string[]): string {
    const { projectId, database } = stack.info;
    const argsOf = (name: string) =>
      trailArgs({ projectId, database, readAccess: false, role: { name }, publication: name, slot: name });
    return `
      const { BemiAuditTrail } = require("pulumi-neon-bemi");
      for (const args of ${JSON.stringify(names.map(argsOf))}) new BemiAuditTrail(args.slot, args);`;
  }

  /** The replica identities that are not DEFAULT, of tables in public. */
  async function identities(): Promise<Record<string, string>> {
    const rows = await stack.sql<{ name: string; identity: string }>(
      `SELECT c.relname AS name, CASE relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
              ELSE (SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = c.oid AND indisreplident) END AS identity
         FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relreplident <> 'd'`,
    );
    return Object.fromEntries(rows.map(({ name, identity }) => [name, identity]));
  }

  test("the last trail gives back what was before both, and what the application has set meanwhile", async () => {
    const { cli } = stack;
    await stack.sql(`ALTER TABLE public.customers REPLICA IDENTITY NOTHING;
      ALTER TABLE public.products REPLICA IDENTITY USING INDEX products_pkey`);
    await cli.program(trails("orders", "search"));
    await cli.must(["up", "--yes", "--skip-preview"]);
    const tracked = await identities();
    expect(new Set(Object.values(tracked))).toEqual(new Set(["FULL"]));

    await stack.unseen(`ALTER INDEX public.products_pkey RENAME TO renamed_key;
      ALTER TABLE public.orders REPLICA IDENTITY NOTHING`);
    await cli.program(trails("search"));
    expect(await cli.must(["up", "--yes"])).toMatch(
      /identity of public\.orders was changed since the last run\. It is tracked again; destroy gives it back NOTHING/,
    );
    expect(await identities()).toEqual(tracked);

    await cli.must(["destroy", "--yes", "--skip-preview"]);
    expect(await identities()).toEqual({ customers: "NOTHING", orders: "NOTHING", products: "renamed_key" });
    await stack.sql(`ALTER INDEX public.renamed_key RENAME TO products_pkey;
      ALTER TABLE public.products REPLICA IDENTITY DEFAULT; ALTER TABLE public.orders REPLICA IDENTITY DEFAULT;
      ALTER TABLE public.customers REPLICA IDENTITY DEFAULT`);
    await stack.expectRestored();
  });

  test("a record that a tool has dropped is missed aloud at up and destroy, and no table stays FULL", async () => {
    const { cli } = stack;
    const lost = /The record of previous replica identities.* knows nothing of publication orders any more/;
    await cli.program(trails("orders"));
    await cli.must(["up", "--yes", "--skip-preview"]);
    await stack.sql("DROP SCHEMA _bemi CASCADE");
    expect(await cli.must(["up", "--yes", "--skip-preview"])).toMatch(lost);
    await stack.sql("DROP SCHEMA _bemi CASCADE");
    expect(await cli.must(["destroy", "--yes", "--skip-preview"])).toMatch(lost);
    await stack.expectRestored();
  });
});
