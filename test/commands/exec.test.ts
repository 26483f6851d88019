import { spawn } from "node:child_process";
import path from "node:path";
import { exec } from "../../commands/exec";

const URI = "postgresql://owner:secret@localhost/neondb";

/** Runs a script of Node as the command. */
function node(script: string): Promise<number> {
  return exec([process.execPath, "-e", script], URI, process.env);
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
  await expect(exec(["no-such-command"], URI, process.env)).rejects.toThrow(
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
    exec([process.execPath, "-e", ${JSON.stringify(child)}], "", process.env).then((code) => process.exit(code));`;
    const running = spawn(process.execPath, ["-e", parent], { stdio: ["ignore", "pipe", "inherit"] });
    running.stdout.once("data", () => running.kill(signal));
    expect(await new Promise((resolve) => running.once("close", resolve))).toBe(42);
  },
);
