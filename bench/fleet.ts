import { readFileSync } from "node:fs";
import Table from "cli-table3";
import { routeOf } from "../provider/neon/api/requests";
import type { LoggedExchange } from "../sandbox/neon";
import { Cli } from "../test/support/cli";
import { processTree } from "../test/support/processes";
import type { Cleanup } from "../tools/start/cleanup";
import { startFleet, type FleetSandbox } from "./fleetSandbox";

/** How often the memory is looked at, in milliseconds. */
const LOOK_EVERY = 500;

/** The kinds of processes that a command consists of, each with a part of its command line. */
const KINDS = [
  ["plugin", "pulumi-resource-neon-bemi"],
  ["program", " --monitor "],
  ["engine", "bin/pulumi "],
] as const;
type Kind = (typeof KINDS)[number][0];

const COMMANDS = [
  ["first preview", ["preview"]],
  ["first up", ["up", "--yes"]],
  ["no-op preview", ["preview"]],
  ["no-op up", ["up", "--yes"]],
  ["destroy", ["destroy", "--yes"]],
] as const;

/** What one command on a stack with many trails took. */
export interface FleetFigure {
  readonly command: string;
  readonly trails: number;
  readonly seconds: number;
  readonly requests: number;
  /** The most requests of one route in any 60 s, and in any 1 s. */
  readonly mostAMinute: number;
  readonly mostASecond: number;
  /** Requests that the emulator answered with 429. */
  readonly refused: number;
  /** Logins to all databases. Bemi's role logs in to verify its password. */
  readonly logins: number;
  readonly plugin: Use;
  readonly program: Use;
  readonly engine: Use;
}

/** What all processes of a kind have used. 0 where the system does not tell. */
interface Use {
  /** Processor time of all of them, in seconds. */
  readonly cpu: number;
  /** Largest resident memory of one of them, in MB. */
  readonly megabytes: number;
}

/**
 * Runs the program of `examples/fleet` under Pulumi's engine, with one project for each trail in an emulator that enforces
 * Neon's rate limit.
 *
 * @param print called after each command, because all of them together take long
 */
export async function measureFleet(
  counts: readonly number[],
  cleanup: Cleanup,
  progress: (line: string) => void,
  print: (figures: readonly FleetFigure[]) => void,
): Promise<FleetFigure[]> {
  const figures: FleetFigure[] = [];
  for (const trails of counts) {
    const sandbox = await startFleet(trails, progress);
    cleanup.add(() => sandbox.stop());
    const cli = await Cli.ofExample(sandbox.environment, "fleet");
    cleanup.add(() => cli.remove());
    await cli.config({ "fleet-audit:tenants": tenantsOf(sandbox) });
    for (const [command, args] of COMMANDS) {
      progress(`${command} of ${trails} trails`);
      const figure = { command, trails, ...(await measured(cli, sandbox, args)) };
      figures.push(figure);
      print([figure]);
    }
    await cli.remove();
    await sandbox.stop();
  }
  return figures;
}

/** On one server, each trail needs a role and a slot of another name. */
function tenantsOf({ tenants }: FleetSandbox): Record<string, object> {
  return Object.fromEntries(
    tenants.map(({ name, projectId, database }) => [
      name,
      { projectId, database, role: { name: `bemi_${name}` }, slot: `bemi_${name}` },
    ]),
  );
}

async function measured(
  cli: Cli,
  sandbox: FleetSandbox,
  args: readonly string[],
): Promise<Omit<FleetFigure, "command" | "trails">> {
  const before = exchangesOf(sandbox).length;
  const loginsBefore = await sandbox.logins();
  const begun = performance.now();
  const running = cli.start(args);
  const seen = new Map<number, Use & { readonly kind: Kind }>();
  const timer = setInterval(() => {
    for (const { pid, command } of processTree(running.child.pid ?? 0)) {
      const kind = KINDS.find(([, part]) => command.includes(part))?.[0];
      const use = kind && useOf(pid);
      if (kind !== undefined && use !== undefined) seen.set(pid, { ...use, kind });
    }
  }, LOOK_EVERY);
  const { code, output } = await running.ended;
  clearInterval(timer);
  if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code ?? "a signal"}:\n${output}`);
  const exchanges = exchangesOf(sandbox).slice(before);
  const byRoute = new Map<string, number[]>();
  for (const { method, path, time } of exchanges) {
    const route = routeOf({
      method: method as "GET",
      path: path.slice(1).split("/") as ["projects", string],
    });
    byRoute.set(route, [...(byRoute.get(route) ?? []), Date.parse(time)]);
  }
  const most = (milliseconds: number): number =>
    Math.max(0, ...[...byRoute.values()].map((times) => mostWithin(times, milliseconds)));
  const total = (kind: Kind): Use => {
    const uses = [...seen.values()].filter((each) => each.kind === kind);
    return {
      cpu: uses.reduce((sum, { cpu }) => sum + cpu, 0),
      megabytes: Math.max(0, ...uses.map(({ megabytes }) => megabytes)),
    };
  };
  return {
    seconds: (performance.now() - begun) / 1000,
    requests: exchanges.length,
    mostAMinute: most(60_000),
    mostASecond: most(1_000),
    refused: exchanges.filter(({ status }) => status === 429).length,
    logins: (await sandbox.logins()) - loginsBefore,
    plugin: total("plugin"),
    program: total("program"),
    engine: total("engine"),
  };
}

/** The requests so far, oldest first. */
function exchangesOf({ requestLog }: FleetSandbox): LoggedExchange[] {
  const lines = readFileSync(requestLog, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as LoggedExchange);
}

/** The most of the times, in milliseconds and ascending, that lie within one span of this length. */
function mostWithin(times: readonly number[], milliseconds: number): number {
  let most = 0;
  let first = 0;
  for (const [at, time] of times.entries()) {
    while (time - (times[first] ?? time) >= milliseconds) first += 1;
    most = Math.max(most, at - first + 1);
  }
  return most;
}

/** What a process has used since its start; `undefined` where the system does not tell, or if it has ended. */
function useOf(pid: number): Use | undefined {
  try {
    const [, kilobytes = "0"] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    // The fields after the name, which is in brackets: the twelfth and thirteenth count ticks of 10 ms.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, megabytes: Number(kilobytes) / 1024 };
  } catch {
    return undefined;
  }
}

export function fleetTable(figures: readonly FleetFigure[]): string {
  const table = new Table({
    head: [
      "Command",
      "Trails",
      "Time",
      "Requests",
      "a minute",
      "a second",
      "429",
      "Logins",
      "Plugin",
      "Program",
      "Engine",
    ],
    colAligns: ["left", ...Array.from({ length: 10 }, () => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  const size = ({ cpu, megabytes }: Use): string =>
    megabytes === 0 ? "" : `${cpu.toFixed(1)} s ${megabytes.toFixed(0)} MB`;
  for (const each of figures)
    table.push([
      each.command,
      String(each.trails),
      `${each.seconds.toFixed(1)} s`,
      `${each.requests} = ${(each.requests / each.trails).toFixed(1)} each`,
      String(each.mostAMinute),
      String(each.mostASecond),
      String(each.refused),
      `${(each.logins / each.trails).toFixed(1)} each`,
      size(each.plugin),
      size(each.program),
      size(each.engine),
    ]);
  return table.toString();
}
