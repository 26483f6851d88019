/**
 * The entry of the npm scripts: `node tools/run.mjs COMMAND [ARGS]`. It installs what package-lock.json lists and
 * compiles the sources, where that is not done yet, and then runs the command. It must work as the first command of a
 * fresh clone, so it is plain JavaScript without dependencies.
 *
 * Its own messages go to stderr, because stdout belongs to the command (the sandbox's JSON line, the Pulumi CLI's
 * output).
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { clearInterval, setInterval } from "node:timers";
import { fileURLToPath } from "node:url";
import { build, isBuilt } from "./build.mjs";
import { exitCode } from "./child.mjs";
import { withLock } from "./lock.mjs";

const PROJECT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const OLDEST_NODE = 20;
const HEARTBEAT_MS = 10_000;

/** What each command runs: a compiled module that exports `main(args): Promise<exit code>`, or a separate program. */
const COMMANDS = {
  start: { module: "dist/tools/start/main.js" },
  sandbox: { module: "dist/sandbox/main.js" },
  pulumi: { module: "dist/tools/pulumi.js" },
  plan: { module: "dist/tools/plan.js" },
  "pull-request": { module: "dist/tools/pullRequest/main.js" },
  release: { module: "dist/tools/release/main.js" },
  bench: { module: "dist/bench/main.js" },
  "tools-check": { module: "dist/bench/toolsCheck/main.js" },
  test: { program: "node_modules/jest/bin/jest.js" },
};

const say = (line) => process.stderr.write(`${line}\n`);

async function run(name, args) {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    say(
      `This project needs Node ${OLDEST_NODE} or newer; this is ${process.version}. Install a newer Node and run the command again.`,
    );
    return 1;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    say(`There is no command "${name}". Commands: ${Object.keys(COMMANDS).join(", ")}.`);
    return 1;
  }
  if (!isInstalled() && !(await install())) return 1;
  if (!isBuilt(PROJECT)) {
    say("Compiling the sources (a few seconds).");
    if (!(await build(PROJECT, say))) {
      say("The sources do not compile: see the errors above. Correct them and run the command again.");
      return 1;
    }
  }
  if (command.program !== undefined) return await runProgram(command.program, args);
  const { main } = createRequire(import.meta.url)(path.join(PROJECT, command.module));
  return await main(args);
}

/**
 * Whether node_modules contains what package-lock.json lists. npm records what it installed in
 * node_modules/.package-lock.json. It writes this file last, so after an interrupted install the file is missing.
 * Optional packages may be missing, because they can be for another platform.
 */
function isInstalled() {
  const record = path.join(PROJECT, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return false;
  const wanted = JSON.parse(readFileSync(path.join(PROJECT, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(record, "utf8")).packages;
  return Object.entries(wanted).every(([folder, { version, integrity, optional, devOptional }]) => {
    if (folder === "") return true;
    const found = installed[folder];
    if (found === undefined) return optional === true || devOptional === true;
    return found.version === version && found.integrity === integrity;
  });
}

async function install() {
  const onWait = () => say("Another process is installing the dependencies; waiting for it.");
  return await withLock("install", PROJECT, onWait, async () => {
    if (isInstalled()) return true;
    say("Installing the dependencies with `npm ci` (a minute or so).");
    const code = await npmCi();
    if (code !== 0)
      say(
        `\`npm ci\` failed with exit code ${code}: see its output above. Correct the cause and run the command again.`,
      );
    return code === 0;
  });
}

async function npmCi() {
  // If npm runs this script, use the same npm.
  const npm = process.env.npm_execpath?.endsWith("npm-cli.js")
    ? [process.execPath, process.env.npm_execpath]
    : ["npm"];
  // No package needs its install script, and the script of @pulumi/command would download a plugin that nothing here
  // uses. npm 11 and newer run only the scripts that package.json allows; older versions need --ignore-scripts.
  const [command, ...args] = [...npm, "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"];
  const started = Date.now();
  const heartbeat = setInterval(() => {
    say(`Still installing the dependencies (${Math.round((Date.now() - started) / 1000)} s).`);
  }, HEARTBEAT_MS);
  try {
    return await exitCode(command, args, PROJECT);
  } finally {
    clearInterval(heartbeat);
  }
}

function runProgram(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(PROJECT, program), ...args], {
      cwd: PROJECT,
      stdio: "inherit",
    });
    // Ctrl-C in a terminal also reaches the child. This process waits until the child has ended.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

try {
  const [name, ...args] = process.argv.slice(2);
  process.exit(await run(name ?? "", args));
} catch (error) {
  // The message of a UserError says everything the user needs. Any other error is a bug, so its stack is shown.
  say(
    error instanceof Error && error.name !== "UserError"
      ? (error.stack ?? error.message)
      : String(error.message ?? error),
  );
  process.exit(1);
}
