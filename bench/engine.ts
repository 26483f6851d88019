import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import path from "node:path";
import { startSandbox } from "../sandbox";
import type { Cleanup } from "../tools/start/cleanup";
import { PROJECT } from "../tools/pulumiCli";
import { Cli, environmentOf } from "../test/support/cli";
import { counting } from "../test/support/counts";
import { bounded, median, milliseconds, type Figure } from "./figures";

/** A program that declares nothing, in the language of this repository's program. */
const EMPTY = {
  "Pulumi.yaml": "name: empty\nruntime:\n  name: nodejs\n  options:\n    typescript: false\nmain: index.js\n",
  "package.json": `{ "name": "empty", "main": "index.js" }\n`,
  "index.js": `exports.stack = require("@pulumi/pulumi").getStack();\n`,
};

/**
 * The commands that are timed on a stack in which nothing changes, each with the most it may take over the empty program.
 * An up is a preview and an update, and a refresh has a preview too.
 */
const COMMANDS = [
  ["preview", ["preview"], 600],
  ["up", ["up", "--yes"], 1200],
  ["refresh", ["refresh", "--yes"], 500],
  ["refresh without its preview", ["refresh", "--yes", "--skip-preview"], undefined],
] as const;

const [MOST_START_MS, MOST_MEGABYTES] = [500, 90];

/**
 * Measures what this repository's program adds to Pulumi's own time, on a stack in which nothing changes: the same command
 * on an empty program, in turns. Also the start of the plugin.
 */
export async function measureEngine(
  rounds: number,
  cleanup: Cleanup,
  progress: (line: string) => void,
): Promise<Figure[]> {
  // Where it is set, each start of Node 20 first reads those certificates, whatever it runs: that is the machine's.
  delete process.env["NODE_EXTRA_CA_CERTS"];
  progress("starting a sandbox");
  const sandbox = await startSandbox({ profile: "neon" });
  cleanup.add(() => sandbox.stop());
  const empty = await Cli.ofProject({}, EMPTY);
  cleanup.add(() => empty.remove());
  await symlink(path.join(PROJECT, "node_modules"), path.join(empty.folder, "node_modules"));
  const own = await Cli.create(environmentOf(sandbox.info));
  cleanup.add(() => own.remove());
  const { projectId, database } = sandbox.info;
  await own.config({ projectId, database });
  for (const cli of [own, empty]) await cli.must(["up", "--yes", "--skip-preview"]);
  const { selected: tables } = (await own.output("status")) as { selected: number };

  const figures: Figure[] = [];
  for (const [name, args, most] of COMMANDS) {
    const over: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      progress(`${name}, round ${round}`);
      const base = await timed(() => empty.must(args));
      over.push((await timed(() => own.must(args))) - base);
    }
    const what = `No-op ${name}, over an empty program`;
    figures.push(
      most === undefined
        ? { what, tables, provider: milliseconds(median(over)) }
        : bounded(what, tables, median(over), most, " ms"),
    );
    const { logins } = await counting(sandbox.info, () => own.must(args));
    const [owner = 0, bemi = 0] = [logins["neondb_owner"], logins["bemi"]];
    figures.push({ what: `No-op ${name}: logins as owner, as bemi`, tables, provider: `${owner}, ${bemi}` });
  }
  progress("start of the plugin");
  return [...figures, ...(await startFigures(rounds, tables))];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function startFigures(rounds: number, tables: number): Promise<Figure[]> {
  const times: number[] = [];
  const sizes: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now();
    const child = spawn(path.join(PROJECT, "pulumi-resource-neon-bemi"), {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    times.push(performance.now() - begun);
    const status = `/proc/${child.pid ?? ""}/status`;
    const size = existsSync(status)
      ? /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(status, "utf8"))?.[1]
      : undefined;
    if (size !== undefined) sizes.push(Number(size) / 1024);
    child.kill();
    await once(child, "close");
  }
  return [
    bounded("Plugin: from start to port", tables, median(times), MOST_START_MS, " ms"),
    // Only Linux tells.
    ...(sizes.length === 0 ? [] : [bounded("Plugin: memory", tables, median(sizes), MOST_MEGABYTES, " MB")]),
  ];
}
