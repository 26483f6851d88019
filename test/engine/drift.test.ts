import { execFile } from "node:child_process";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli";
import { compareFacts } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { USERS_EVENT_TRIGGERS } from "../support/postgres";
import { TrailStack } from "../support/trailStack";
import { until } from "../support/until";

/** What somebody does behind the stack's back, and the difference that the next preview must name, with its value. */
const DRIFT: readonly [statement: string, name: string, value: RegExp][] = [
  ["ALTER EVENT TRIGGER %trigger DISABLE", "eventTriggersMissing", /_bemi_/],
  ["CREATE TABLE public.payouts (id int PRIMARY KEY)", "notPublished", /public\.payouts/],
  ["ALTER TABLE public.orders REPLICA IDENTITY DEFAULT", "identityNotFull", /public\.orders/],
  ["ALTER PUBLICATION bemi DROP TABLE public.customers", "notPublished", /public\.customers/],
  ["REVOKE SELECT ON public.products FROM bemi", "missingPrivileges", /products/],
  ["ALTER ROLE bemi NOREPLICATION", "roleAttributesLost", /REPLICATION/],
  ["ALTER ROLE bemi PASSWORD 'somebody-else-s-2026'", "passwordChanged", /does not accept the password/],
  ["GRANT pg_monitor TO bemi", "roleMemberships", /pg_monitor/],
];

/** What somebody does to objects of each kind, for the next up to mend. */
const DAMAGE = `
  ALTER ROLE bemi NOREPLICATION;
  REVOKE SELECT ON public.products FROM bemi;
  ALTER TABLE public.orders REPLICA IDENTITY DEFAULT;
  ALTER PUBLICATION bemi DROP TABLE public.customers`;

/** How many previews run at once. Each has four processes: more would take a minute on two cores. */
const PREVIEWS = 4;

const UNCHANGED = /Resources:\n\s+9 unchanged\n/;

// On a busy machine a command of the CLI can take many seconds.
jest.setTimeout(300_000);

let stack: TrailStack;

beforeAll(async () => {
  stack = await TrailStack.open({
    // Event triggers need the rights that Neon gives the owner.
    sandbox: { profile: "neon", settings: { log_statement: "all" } },
    exports: ["connection", "status"],
  });
});

afterAll(() => stack.close());

/** Makes all the drift, past the event triggers that would mend some of it at once. */
async function drift(): Promise<void> {
  await withClient({ connectionString: stack.info.superuserUri }, async (client) => {
    await client.query("SET session_replication_role = replica");
    const { rows } = await client.query<{ evtname: string }>(USERS_EVENT_TRIGGERS);
    expect(rows.length).toBeGreaterThan(0);
    for (const statement of DRIFT.map(([sql]) => sql)) {
      const asOwner = /^(CREATE|GRANT)/.test(statement);
      if (asOwner) await client.query("SET ROLE neondb_owner");
      await client.query(statement.replace("%trigger", `"${rows[0]?.evtname ?? ""}"`));
      if (asOwner) await client.query("RESET ROLE");
    }
  });
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

// The program has no `refresh` option, and no command here is given one.
test("a preview names all drift without a refresh, one up mends it, the next preview is calm", async () => {
  const { cli } = stack;
  await cli.must(["up", "--yes", "--skip-preview"]);
  const healthy = await stack.facts();
  const status = (await cli.output("status")) as { selected: number };
  const { password } = (await cli.output("connection")) as { password: string };
  expect(await cli.must(["up", "--yes", "--skip-preview"])).toMatch(UNCHANGED);

  await drift();
  const logged = stack.loggedStatements().length;
  const preview = await whileReadOnly(() => cli.must(["preview", "--diff"]));
  for (const [, name, value] of DRIFT) expect(preview).toMatch(new RegExp(` - ${name} *: .*${value.source}`));
  expect(preview).not.toMatch(/ to (create|delete|replace)/);
  const statements = stack.loggedStatements().slice(logged);
  expect(statements.length).toBeGreaterThan(1);
  expect(statements.filter((statement) => !/^\s*(SELECT|WITH|SHOW)\s/.test(statement))).toEqual([]);
  // No consumer has ever connected here, so the trail is dead as well.
  const check = await neonBemi(["check", "--stack", cli.stack, "--cwd", cli.folder]);
  expect(check).toMatchObject({ code: 2, stderr: "" });
  expect(check.stdout).toMatch(/^trail .*: dead\n[^]*NB603[^]*NB609[^]*NB602 public\.customers/);
  expect(check.stdout).not.toContain(password);

  // In the middle of a transaction of the up, previews neither wait for it nor fail.
  const commit = stack.gate.hold("COMMIT\0");
  const up = cli.start(["up", "--yes", "--skip-preview"]);
  await Promise.race([commit.reached, up.ended.then(({ output }) => Promise.reject(new Error(output)))]);
  const previews = await Promise.all(Array.from({ length: PREVIEWS }, () => cli.must(["preview", "--diff"])));
  for (const each of previews) expect(each).toMatch(/ - notPublished *: /);
  commit.release();
  expect(await up.ended).toMatchObject({ code: 0 });

  expect(await cli.must(["preview"])).toMatch(UNCHANGED);
  const selected = status.selected + 1;
  expect(await cli.output("status")).toEqual({ ...status, selected, published: selected, full: selected });
  expect(await cli.output("connection")).not.toMatchObject({ password });
  const others = compareFacts(healthy, await stack.facts()).filter(
    ({ object }) => !object.includes("payouts"),
  );
  // The new password.
  expect(others.map(({ kind, object }) => `${kind} ${object}`)).toEqual(["role bemi"]);

  await stack.sql("DROP TABLE public.payouts");
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  await stack.expectRestored();
});

describe("after the database got another owner", () => {
  beforeAll(async () => {
    const { projectId, branchId } = stack.info;
    const roles = `/projects/${projectId}/branches/${branchId}/roles`;
    await stack.api("POST", roles, { role: { name: "next_owner" } });
    await until(
      async () => (await stack.sql("SELECT FROM pg_roles WHERE rolname = 'next_owner'")).length > 0,
    );
  });

  /** Sets the trail up, gives things to the new owner, damages them, and expects up and destroy to go on. */
  async function expectToGoOn(handover: string, back: string, says: RegExp): Promise<void> {
    const { cli } = stack;
    await cli.must(["up", "--yes", "--skip-preview"]);
    await stack.sql("SELECT pg_create_logical_replication_slot('bemi', 'pgoutput')");
    await stack.sql(handover);
    const healthy = await stack.facts();
    await stack.sql(DAMAGE);
    const output = await cli.must(["up", "--yes"]);
    expect(output).toMatch(says);
    expect(output).toMatch(/~ 5 to update[^]*~ 5 updated/);
    // What the new owner creates later is readable too.
    const changed = compareFacts(healthy, await stack.facts());
    expect(changed.filter(({ object }) => !object.includes("made by next_owner"))).toEqual([]);
    expect(await cli.output("status")).toMatchObject({ ready: true });
    await cli.must(["destroy", "--yes", "--skip-preview"]);
    await stack.sql(back);
    const left = compareFacts(stack.before, await stack.facts()).map(
      ({ kind, object }) => `${kind} ${object}`,
    );
    expect(left.filter((fact) => !fact.includes("next_owner"))).toEqual([]);
  }

  test("alone, the trail goes on as the former one, which owns what was made", async () => {
    await expectToGoOn(
      "ALTER DATABASE neondb OWNER TO next_owner",
      "ALTER DATABASE neondb OWNER TO neondb_owner",
      /Database "neondb" belongs to role next_owner now\. .* belongs to neondb_owner, so neondb_owner goes on/,
    );
  });

  test("with all that the former one owned, the trail goes on as the new one", async () => {
    // PostgreSQL gives event triggers to nobody but superusers.
    await stack.declare(undefined, undefined, { trackNewTables: false });
    await expectToGoOn(
      "REASSIGN OWNED BY neondb_owner TO next_owner",
      "REASSIGN OWNED BY next_owner TO neondb_owner",
      /Database "neondb" belongs to role next_owner now; until the last run it was neondb_owner/,
    );
  });
});
