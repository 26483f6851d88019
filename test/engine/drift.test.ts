import { execFile } from "node:child_process";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli";
import { compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Page, withExampleIds } from "../support/page";
import { excerpt } from "../support/previewText";
import { ROLE_BY_API, ROLE_KIND } from "../support/trailRole";
import { TrailStack } from "../support/trailStack";
import { until } from "../support/until";
import { ARGS, branchOf, DAMAGE, GROUPS } from "./driftRows";

/** How many previews run at once. Each has four processes: more would take a minute on two cores. */
const PREVIEWS = 4;

const UNCHANGED = /Resources:\n\s+10 unchanged\n/;

// On a busy machine a command of the CLI can take many seconds.
jest.setTimeout(300_000);

let stack: TrailStack;
/** The facts of the catalog while the trail is as it should be. */
let healthy: readonly Fact[];

beforeAll(async () => {
  stack = await TrailStack.open({
    // Event triggers need the rights that Neon gives the owner.
    sandbox: { profile: "neon", settings: { log_statement: "all" } },
    args: ARGS,
    exports: ["connection", "status"],
  });
  await stack.api("POST", `${branchOf(stack)}/roles`, { role: { name: "next_owner" } });
  await until(async () => (await stack.sql("SELECT FROM pg_roles WHERE rolname = 'next_owner'")).length > 0);
  await stack.cli.must(["up", "--yes", "--skip-preview"]);
  healthy = await stack.facts();
});

afterAll(() => stack.close());

/** The facts that differ from earlier ones, by kind and name. */
async function leftOf(before: readonly Fact[]): Promise<string[]> {
  return compareFacts(before, await stack.facts()).map(({ kind, object }) => `${kind} ${object}`);
}

/** Runs the work while every table is locked in a mode that lets nothing pass but AccessShare, and no write is allowed. */
async function whileReadOnly<Result>(work: () => Promise<Result>): Promise<Result> {
  return withClient({ connectionString: stack.info.superuserUri }, async (client) => {
    const { rows } = await client.query<{ names: string }>(
      "SELECT string_agg(oid::regclass::text, ', ') AS names FROM pg_class WHERE relkind IN ('r', 'p')",
    );
    await client.query("ALTER SYSTEM SET default_transaction_read_only = on");
    await client.query("SELECT pg_reload_conf()");
    await client.query("BEGIN READ WRITE");
    await client.query(`LOCK TABLE ${rows[0]?.names ?? ""} IN EXCLUSIVE MODE`);
    try {
      return await work();
    } finally {
      await client.query("ROLLBACK");
      await client.query("ALTER SYSTEM RESET default_transaction_read_only");
      await client.query("SELECT pg_reload_conf()");
    }
  });
}

/** Runs the command of the package on the stack. */
function neonBemi(args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      path.join(PROJECT, "neon-bemi"),
      args,
      { env: stack.cli.environment },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : error.code, stdout, stderr });
      },
    );
  });
}

/** The preview of the group, made while nothing can write; and what else looks at the stack, with nothing but reads. */
async function watchedPreview(): Promise<string> {
  const { cli } = stack;
  const { password } = (await cli.output("connection")) as { password: string };
  const logged = stack.loggedStatements().length;
  const preview = await whileReadOnly(() => cli.must(["preview", "--diff"]));
  const statements = stack.loggedStatements().slice(logged);
  expect(statements.length).toBeGreaterThan(1);
  expect(statements.filter((statement) => !/^\s*(SELECT|WITH|SHOW)\s/.test(statement))).toEqual([]);
  // No consumer has ever connected here, so the trail is dead as well.
  const check = await neonBemi(["check", "--stack", cli.stack, "--cwd", cli.folder]);
  expect(check).toMatchObject({ code: 2, stderr: "" });
  expect(check.stdout).toMatch(/^trail .*: dead\n[^]*NB603[^]*NB602 public\.customers/);
  expect(check.stdout).not.toContain(password);
  return preview;
}

/**
 * Where an up is held. The password of a role that SQL makes is set in a transaction of several statements; without one, it is
 * the statement that adds tables to the publication.
 */
const HELD = ROLE_BY_API ? '"action":"ADD"' : "COMMIT\0";

/** An up that is held in the middle: meanwhile, previews neither wait for it nor fail. */
async function watchedUp(): Promise<string> {
  const { cli } = stack;
  const commit = stack.gate.hold(HELD);
  const up = cli.start(["up", "--yes", "--skip-preview"]);
  try {
    await Promise.race([commit.reached, up.ended.then(({ output }) => Promise.reject(new Error(output)))]);
    const previews = Array.from({ length: PREVIEWS }, () => cli.must(["preview", "--diff"]));
    for (const each of await Promise.all(previews)) expect(each).toMatch(/ - notPublished *: /);
  } finally {
    commit.release();
  }
  const { code, output } = await up.ended;
  expect([code, output]).toEqual([0, output]);
  return output;
}

const page = new Page("drift.md");

test("docs/drift.md shows each row, and nothing else", () => {
  expect(page.names).toEqual(GROUPS.flatMap(({ rows }) => rows.map(({ what }) => what)));
});

// The program has no `refresh` option, and no command here is given one.
describe.each(GROUPS)("$title", (group) => {
  const { fails = false, then, twice = false, leaves, watched = false } = group;
  const rows = group.rows.filter(({ sqlRoleOnly = false }) => !(sqlRoleOnly && ROLE_BY_API));
  let preview = "";

  beforeAll(async () => {
    for (const { does } of rows) await (typeof does === "string" ? stack.asOwner(does) : does(stack));
    if (watched) preview = await watchedPreview();
    else {
      const { code, output } = await stack.cli.run(["preview", "--diff"]);
      expect([code === 0, output]).toEqual([!fails, output]);
      preview = output;
    }
    preview = withExampleIds(preview, stack.info);
  });

  test.each(rows)("the preview says: $what", ({ what, sights, shows }) => {
    const text = excerpt(preview, sights);
    expect(text).toMatch(shows);
    // The page shows a role that SQL has made.
    if (!(ROLE_BY_API && sights.some(({ kind }) => kind === ROLE_KIND))) page.expect(what, text);
  });

  test(`${twice ? "a second" : "one"} up mends it, and the next preview finds nothing to do`, async () => {
    if (then !== undefined) await stack.declare(undefined, undefined, then);
    if (twice) {
      const { output } = await stack.cli.run(["up", "--yes", "--skip-preview"]);
      expect(output).toMatch(
        /public\.order_items does not have FULL identity yet, .* Run pulumi up again, which sets it/,
      );
    }
    const up = watched ? await watchedUp() : await stack.cli.must(["up", "--yes", "--skip-preview"]);
    expect(up).not.toMatch(/\d (deleted|replaced)/);
    expect(await stack.cli.must(["preview"])).toMatch(UNCHANGED);
    expect(await stack.cli.output("status")).toMatchObject({ ready: true, degraded: [] });
    expect((await leftOf(healthy)).filter((fact) => leaves?.test(fact) !== true)).toEqual([]);
  });
});

test("destroy restores all the same, also what somebody has renamed or given away meanwhile", async () => {
  await stack.cli.must(["destroy", "--yes", "--skip-preview"]);
  await stack.sql("ALTER DATABASE shop OWNER TO neondb_owner");
  await stack.rename("neondb");
  await stack.api("PATCH", branchOf(stack), { branch: { name: "main" } });
  expect((await leftOf(stack.before)).filter((fact) => !/sessions|payouts|next_owner/.test(fact))).toEqual(
    [],
  );
});

test("with all that the former owner owned, the trail goes on as the new one", async () => {
  const { cli } = stack;
  // PostgreSQL gives event triggers to nobody but superusers.
  await stack.declare(undefined, undefined, { trackNewTables: false });
  await cli.must(["up", "--yes", "--skip-preview"]);
  await stack.sql("SELECT pg_create_logical_replication_slot('bemi', 'pgoutput')");
  await stack.sql("REASSIGN OWNED BY neondb_owner TO next_owner");
  healthy = await stack.facts();
  await stack.sql(DAMAGE);
  const output = await cli.must(["up", "--yes"]);
  expect(output).toMatch(
    /Database "neondb" belongs to role next_owner now; until the last run it was neondb_owner/,
  );
  // A role of Neon's API is left alone, and has no privileges of the module's.
  const updates = ROLE_BY_API ? 3 : 5;
  expect(output).toMatch(new RegExp(`~ ${updates} to update[^]*~ ${updates} updated`));
  // What the new owner creates later is readable too.
  expect((await leftOf(healthy)).filter((fact) => !fact.includes("made by next_owner"))).toEqual([]);
  expect(await cli.output("status")).toMatchObject({ ready: true });
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  await stack.sql("REASSIGN OWNED BY next_owner TO neondb_owner");
  expect((await leftOf(stack.before)).filter((fact) => !/sessions|payouts|next_owner/.test(fact))).toEqual(
    [],
  );
});
