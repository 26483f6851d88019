import { readFile } from "node:fs/promises";
import path from "node:path";
import { startSandbox } from "../../sandbox";
import type { Sandbox } from "../../sandbox/sandbox";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf } from "../support/cli";
import { expectCareful, readRequestLog } from "../support/requestLog";

/** One stack under one name after the other. Each test begins in the state that the test before it left. */
let sandbox: Sandbox;
let cli: Cli;
let before: Fact[];
let connection: unknown;

beforeAll(async () => {
  sandbox = await startSandbox({});
  before = await facts();
  cli = await Cli.ofProgram(environmentOf(sandbox.info), program("orders"));
  await cli.must(["up", "--yes", "--skip-preview"]);
  connection = await cli.output("connection");
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  await cli.remove();
  await sandbox.stop();
});

/** The program with a trail of this name. */
function program(name: string, options = "{}"): string {
  const { projectId, database } = sandbox.info;
  return `
    const { BemiAuditTrail } = require("pulumi-neon-bemi");
    const trail = new BemiAuditTrail("${name}", {
      projectId: "${projectId}",
      database: "${database}",
      dropSlotOnDestroy: true,
    }, ${options});
    exports.connection = trail.connection;`;
}

function facts(): Promise<Fact[]> {
  return withClient({ connectionString: sandbox.info.superuserUri }, catalogFacts);
}

/** Expects preview and up to find nothing to do, and the database to stay as it is. */
async function expectUnchanged(): Promise<void> {
  const now = await facts();
  const preview = await cli.must(["preview"]);
  expect(preview).toMatch(/Resources:\n\s+9 unchanged\n/);
  expect(preview).not.toContain("Diagnostics:");
  expect(await cli.must(["up", "--yes", "--skip-preview"])).toMatch(/Resources:\n\s+9 unchanged\n/);
  expect(compareFacts(now, await facts())).toEqual([]);
  expect(await cli.output("connection")).toEqual(connection);
}

test("a renamed stack is unchanged", async () => {
  await cli.inFolder(["stack", "rename", "production", "--stack", "test"]);
  cli.stack = "production";
  await expectUnchanged();
});

test("a component renamed with an alias is unchanged", async () => {
  await cli.program(program("shop", `{ aliases: [{ name: "orders" }] }`));
  await expectUnchanged();
  expect(await cli.state()).toContain("shop-publication");
  // After one up, the alias has done its work.
  await cli.program(program("shop"));
  expect(await cli.must(["preview"])).toMatch(/Resources:\n\s+9 unchanged\n/);
});

test("a stack moved to another backend is unchanged, and destroy restores everything", async () => {
  await cli.state();
  const file = path.join(cli.folder, "state.json");
  expect(await readFile(file, "utf8")).toContain("ownershipId");
  await cli.moveTo("elsewhere");
  await cli.inFolder(["stack", "import", "--stack", cli.stack, "--file", file]);
  await expectUnchanged();
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  expect(compareFacts(before, await facts())).toEqual([]);
});
