import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import type { DeclaredResource } from "../../commands/declared";
import { exec } from "../../commands/exec";
import { projectFolder } from "../../commands/execCommand";
import { databaseByArguments, databaseInStack } from "../../commands/execTarget";
import { secret } from "../../provider/contract/secrets";
import { PROJECT } from "../../tools/pulumiCli";
import { removeScratch, scratch, write } from "../support/scratch";

const URI = "postgresql://owner:secret@localhost/neondb";

afterAll(removeScratch);

/** Runs a script of Node as the command. */
function node(script: string): Promise<number> {
  return exec([process.execPath, "-e", script], URI, { environment: process.env });
}

test.each([0, 7])("passes exit code %i of the command through", async (code) => {
  expect(await node(`process.exit(${code})`)).toBe(code);
});

test("gives the command DATABASE_URL, and keeps it out of this process and of all arguments", async () => {
  const script = `
    const commandLines = require("node:child_process").execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
    process.exit(process.env.DATABASE_URL?.length === ${URI.length} && !commandLines.includes("owner:sec" + "ret") ? 0 : 1)`;
  expect(await node(script)).toBe(0);
  expect(process.env["DATABASE_URL"]).toBeUndefined();
});

test("says which command was not found", async () => {
  await expect(exec(["no-such-command"], URI, { environment: process.env })).rejects.toThrow(
    "The command no-such-command was not found. Check its name, or put its folder into PATH.",
  );
});

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
  "passes %s on, and ends as the command does",
  async (signal) => {
    const child = `process.on("${signal}", () => process.exit(42)); console.log("ready"); setTimeout(() => process.exit(1), 10_000)`;
    const parent = `
    require("ts-node").register({ transpileOnly: true });
    const { exec } = require(${JSON.stringify(path.join(__dirname, "..", "..", "commands", "exec.ts"))});
    exec([process.execPath, "-e", ${JSON.stringify(child)}], "", { environment: process.env }).then((code) => process.exit(code));`;
    const running = spawn(process.execPath, ["-e", parent], { stdio: ["ignore", "pipe", "inherit"] });
    running.stdout.once("data", () => running.kill(signal));
    expect(await new Promise((resolve) => running.once("close", resolve))).toBe(42);
  },
);

test("--redact keeps a secret out of the output, also one that arrives in two pieces", async () => {
  const script = `
    process.stdout.write("password sEcret-");
    setTimeout(() => { process.stdout.write("0123 in UTF-8: \u00fc\\nlast"); process.stderr.write("sEcret-0123"); process.exitCode = 5 }, 100)`;
  const parent = `
    require("ts-node").register({ transpileOnly: true });
    const { exec } = require(${JSON.stringify(path.join(__dirname, "..", "..", "commands", "exec.ts"))});
    const { secret } = require(${JSON.stringify(path.join(__dirname, "..", "..", "provider", "contract", "secrets.ts"))});
    secret("sEcret-" + "0123");
    exec([process.execPath, "-e", ${JSON.stringify(script)}], "", { environment: process.env, redacted: true })
      .then((code) => process.exit(code));`;
  const running = spawn(process.execPath, ["-e", parent], { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = [textOf(running.stdout), textOf(running.stderr)];
  expect(await new Promise((resolve) => running.once("close", resolve))).toBe(5);
  expect(await stdout).toBe("password [secret] in UTF-8: \u00fc\nlast");
  expect(await stderr).toBe("[secret]");
});

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk.toString();
  return text;
}

test("runs a line for the shell, and ends as its last command does", async () => {
  expect(await exec({ shell: "true && exit 6" }, URI, { environment: process.env })).toBe(6);
});

test.each(["Pulumi.yaml", "Pulumi.json"])("finds the folder of %s above the folder of main", async (name) => {
  const folder = scratch();
  const main = path.join(folder, "dist", "program");
  write(path.join(main, "index.js"), "");
  expect(projectFolder(main)).toBeUndefined();
  write(path.join(folder, name), "");
  expect([projectFolder(main), projectFolder(folder)]).toEqual([folder, folder]);
  const command = { shell: `test -e ${name} && exit 5` };
  expect(await exec(command, URI, { environment: process.env, folder: projectFolder(main) })).toBe(5);
});

test("npx finds the command in the folder of this repository's program without installing it", async () => {
  const cache = scratch();
  const running = spawn("npx", ["--no", "neon-bemi", "exec", "--redact"], {
    cwd: path.join(PROJECT, "dist", "program"),
    env: { ...process.env, npm_config_cache: cache, npm_config_offline: "true" },
    stdio: ["ignore", "inherit", "pipe"],
  });
  expect(await textOf(running.stderr)).toMatch(/^There is no command to run\./);
  // Where npx would install the package, and compile it by its script `prepare`.
  expect(existsSync(path.join(cache, "_npx"))).toBe(false);
});

test("names every mistake in the options of a database", () => {
  expect(() => databaseByArguments({ database: "neondb" })).toThrow(
    /^projectId is required: the Neon project's id/,
  );
  expect(() => databaseByArguments({ projectId: "p" })).toThrow(/^database is required/);
  expect(databaseByArguments({ projectId: "p", database: "d" }).target).toEqual({
    projectId: "p",
    database: "d",
  });
});

/** A resource of a trail as a stack's state has it. */
function resource(trail: string, type: string, inputs: object, outputs: object = {}): DeclaredResource {
  const component = `urn:pulumi:production::shop::neon-bemi:index:BemiAuditTrail::${trail}`;
  return {
    urn: `${component}-${type}`,
    type,
    name: `${trail}-${type}`,
    component,
    provider: "urn:provider",
    inputs: { ...inputs },
    outputs: { ...outputs },
    drift: [],
  };
}

const ORDERS = resource(
  "orders",
  "Publication",
  { projectId: "p", branch: "main", database: "neondb" },
  { branchId: "br-a" },
);
const INVOICES = resource("invoices", "Publication", { projectId: "p", database: "billing" });

test.each([
  ["the only trail of a stack", [ORDERS], undefined],
  ["the trail that --trail names", [INVOICES, ORDERS], "orders"],
])("takes project, branch and database from %s", (_, resources, trail) => {
  const providers = new Map([["urn:provider", { apiKey: secret("napi_0123456789abcdef") }]]);
  expect(databaseInStack({ resources, providers }, trail)).toEqual({
    target: { projectId: "p", branch: "main", database: "neondb" },
    recorded: { branchId: "br-a" },
    settings: { apiKey: "napi_0123456789abcdef" },
  });
});

test.each([
  [
    "several trails and none named",
    [INVOICES, ORDERS],
    undefined,
    "The stack has the trails invoices, orders. Name one of them with --trail.",
  ],
  [
    "a name that no trail has",
    [INVOICES, ORDERS],
    "order",
    "The stack has no trail order. Did you mean orders?",
  ],
  ["a name that is near to none", [ORDERS], "x", "The stack has no trail x. The stack has the trail orders."],
  ["no trail", [], undefined, "The stack has no resource of this package."],
  [
    "no database",
    [resource("orders", "IpAllow", { projectId: "p", ips: [] })],
    undefined,
    "No resource of the stack names a database.",
  ],
])("refuses %s, and says what to do", (_, resources, trail, message) => {
  expect(() => databaseInStack({ resources, providers: new Map() }, trail)).toThrow(message);
});
