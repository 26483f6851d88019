import { execFile } from "node:child_process";
import path from "node:path";
import { startSandbox } from "../../sandbox";
import type { Sandbox } from "../../sandbox/sandbox";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { PROJECT } from "../../tools/pulumiCli";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf } from "../support/cli";
import { expectCareful, readRequestLog } from "../support/requestLog";

/** What somebody does behind the stack's back, and the difference that the next preview must name, with its value. */
const DRIFT: readonly [statement: string, name: string, value: RegExp][] = [
  ["ALTER EVENT TRIGGER %trigger DISABLE", "eventTriggersMissing", /_bemi_/],
  ["CREATE TABLE public.payouts (id int PRIMARY KEY)", "notPublished", /public\.payouts/],
  ["ALTER TABLE public.orders REPLICA IDENTITY DEFAULT", "identityNotFull", /public\.orders/],
  ["ALTER PUBLICATION bemi DROP TABLE public.customers", "notPublished", /public\.customers/],
  ["REVOKE SELECT ON public.products FROM bemi", "missingPrivileges", /products/],
  ["ALTER ROLE bemi NOREPLICATION", "roleAttributesLost", /REPLICATION/],
  ["ALTER ROLE bemi PASSWORD 'somebody-else-s-2026'", "passwordChanged", /does not accept the password/],
  ["GRANT pg_read_all_settings TO bemi", "roleMemberships", /pg_read_all_settings/],
];

let sandbox: Sandbox;
let cli: Cli;
let before: Fact[];

beforeAll(async () => {
  // Event triggers need the rights that Neon gives the owner.
  sandbox = await startSandbox({ profile: "neon" });
  const { projectId, database } = sandbox.info;
  before = await facts();
  cli = await Cli.ofProgram(
    environmentOf(sandbox.info),
    `const { BemiAuditTrail } = require("pulumi-neon-bemi");
     const trail = new BemiAuditTrail("orders", {
       projectId: "${projectId}",
       database: "${database}",
       dropSlotOnDestroy: true,
     });
     exports.connection = trail.connection;
     exports.status = trail.status;`,
  );
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  await cli.remove();
  await sandbox.stop();
});

function facts(): Promise<Fact[]> {
  return withClient({ connectionString: sandbox.info.superuserUri }, catalogFacts);
}

/** Makes all the drift, past the event triggers that would mend some of it at once. */
async function drift(): Promise<void> {
  await withClient({ connectionString: sandbox.info.superuserUri }, async (client) => {
    await client.query("SET session_replication_role = replica");
    const { rows } = await client.query<{ evtname: string }>("SELECT evtname FROM pg_event_trigger");
    expect(rows.length).toBeGreaterThan(0);
    for (const statement of DRIFT.map(([sql]) => sql)) {
      const asOwner = statement.startsWith("CREATE");
      if (asOwner) await client.query("SET ROLE neondb_owner");
      await client.query(statement.replace("%trigger", `"${rows[0]?.evtname ?? ""}"`));
      if (asOwner) await client.query("RESET ROLE");
    }
  });
}

/** Runs the command of the package on the stack. */
function neonBemi(args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(path.join(PROJECT, "neon-bemi"), args, { env: cli.environment }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

// The program has no `refresh` option, and no command here is given one.
test("a preview names all drift without a refresh, one up mends it, the next preview is calm", async () => {
  await cli.must(["up", "--yes", "--skip-preview"]);
  const healthy = await facts();
  const status = (await cli.output("status")) as { selected: number };
  const { password } = (await cli.output("connection")) as { password: string };
  expect(await cli.must(["up", "--yes", "--skip-preview"])).toMatch(/Resources:\n\s+9 unchanged\n/);

  await drift();
  const preview = await cli.must(["preview", "--diff"]);
  for (const [, name, value] of DRIFT) expect(preview).toMatch(new RegExp(` - ${name} *: .*${value.source}`));
  expect(preview).not.toMatch(/ to (create|delete|replace)/);
  // No consumer has ever connected here, so the trail is dead as well.
  const check = await neonBemi(["check", "--stack", cli.stack, "--cwd", cli.folder]);
  expect(check).toMatchObject({ code: 2, stderr: "" });
  expect(check.stdout).toMatch(/^orders .*: dead\n[^]*NB603[^]*NB609[^]*NB602 public\.customers/);
  expect(check.stdout).not.toContain(password);

  await cli.must(["up", "--yes", "--skip-preview"]);
  expect(await cli.must(["preview"])).toMatch(/Resources:\n\s+9 unchanged\n/);
  const selected = status.selected + 1;
  expect(await cli.output("status")).toEqual({ ...status, selected, published: selected, full: selected });
  expect(await cli.output("connection")).not.toMatchObject({ password });
  const others = compareFacts(healthy, await facts()).filter(({ object }) => !object.includes("payouts"));
  // The new password.
  expect(others.map(({ kind, object }) => `${kind} ${object}`)).toEqual(["role bemi"]);

  await withClient({ connectionString: sandbox.info.superuserUri }, (client) =>
    client.query("DROP TABLE public.payouts"),
  );
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  expect(compareFacts(before, await facts())).toEqual([]);
});
