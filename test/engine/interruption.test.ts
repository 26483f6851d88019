import { readdirSync, readFileSync } from "node:fs";
import { startSandbox } from "../../sandbox";
import type { Sandbox } from "../../sandbox/sandbox";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf, type Running } from "../support/cli";
import { until } from "../support/until";
import { expectCareful, readRequestLog } from "../support/requestLog";

/** How long a plugin process may outlive the CLI: the rest of a step between two writes, on a busy machine. */
const GONE_MS = 5_000;

/** One trail that is interrupted on its way up, and on its way down. Each command continues from the last one. */
let sandbox: Sandbox;
let cli: Cli;
let before: Fact[];

beforeAll(async () => {
  sandbox = await startSandbox({});
  before = await facts();
  const { projectId, database } = sandbox.info;
  cli = await Cli.ofProgram(
    environmentOf(sandbox.info),
    `const { BemiAuditTrail } = require("pulumi-neon-bemi");
     const trail = new BemiAuditTrail("trail", {
       projectId: "${projectId}",
       database: "${database}",
       dropSlotOnDestroy: true,
     });
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

/** Process id, parent and command line of every process that is running. */
function processes(): { pid: number; parent: number; command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8")) ?? [];
        if (state === "Z") return [];
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        return [{ pid: Number(name), parent: Number(parent), command }];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
}

/** The plugin processes that a command of the CLI has started. */
function pluginsOf({ child }: Running): number[] {
  const all = processes();
  const below = (parent: number | undefined): typeof all =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  return below(child.pid)
    .filter(({ command }) => command.includes("pulumi-resource-neon-bemi"))
    .map(({ pid }) => pid);
}

/** Runs a command until it says something, ends it in some way, and expects its plugin to end soon too. */
async function interrupt(command: string, says: RegExp, end: (running: Running) => void): Promise<void> {
  const running = cli.start([command, "--yes", "--skip-preview"]);
  let ended = false;
  void running.ended.then(() => (ended = true));
  await until(() => Promise.resolve(ended || says.test(running.printed())));
  const plugins = pluginsOf(running);
  end(running);
  const { output } = await running.ended;
  const since = Date.now();
  if (plugins.length === 0) throw new Error(`The command came to its end before ${String(says)}:\n${output}`);
  await until(() => Promise.resolve(!processes().some(({ pid }) => plugins.includes(pid))));
  expect(Date.now() - since).toBeLessThan(GONE_MS);
}

/** Ends the command by a signal. After SIGKILL the stack is still locked, as the CLI then says. */
async function killed(command: string, signal: "SIGINT" | "SIGKILL", says: RegExp): Promise<void> {
  await interrupt(command, says, ({ child }) => child.kill(signal));
  if (signal === "SIGKILL") await cli.inFolder(["cancel", cli.stack, "--yes"]);
}

test("an up that is interrupted again and again leaves no plugin, and the last one converges", async () => {
  await killed("up", "SIGINT", /trail-replication creating/);
  await killed("up", "SIGKILL", /trail-role creating/);
  await killed("up", "SIGINT", /trail-access creating/);
  await killed("up", "SIGKILL", /trail-identity creating/);
  await killed("up", "SIGINT", /trail-publication creating/);
  await killed("up", "SIGKILL", /trail-readiness creating/);
  await cli.must(["up", "--yes", "--skip-preview"]);
  expect(await cli.output("status")).toMatchObject({ ready: true });
  expect(await cli.must(["preview"])).toMatch(/Resources:\n\s+9 unchanged\n/);
});

test("a command whose output is closed leaves no plugin", async () => {
  await interrupt("up", /trail-identity refresh \(/, ({ child }) => child.stdout?.destroy());
  await cli.inFolder(["cancel", cli.stack, "--yes"]);
});

test("a destroy that is interrupted again and again leaves no plugin, and the last one restores all", async () => {
  await killed("destroy", "SIGINT", /trail-slot deleting/);
  await killed("destroy", "SIGKILL", /trail-publication deleting/);
  await killed("destroy", "SIGINT", /trail-identity deleting/);
  await killed("destroy", "SIGKILL", /trail-role deleting/);
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  expect(compareFacts(before, await facts())).toEqual([]);
});
