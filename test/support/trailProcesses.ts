import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transform } from "@swc/core";
import type { EngineState } from "./engine";
import type { Order } from "./trailProcess";

const REPOSITORY = join(__dirname, "../..");
/** The folders that `trailProcess.ts` imports from. */
const SOURCES = ["provider", "sandbox", "tools/start", "test/support"];

/** How a process ended: with so many statements sent, or `killed`. */
export type Ending = number | "killed";

/**
 * Processes that run one command on a trail each. Their sources are compiled once, into a temporary folder, and the next
 * process is always started ahead of its order.
 */
export class TrailProcesses {
  #next: ChildProcess;

  private constructor(private readonly folder: string) {
    this.#next = this.#fork();
  }

  /** Compiles the sources and starts the first process. */
  static async prepare(): Promise<TrailProcesses> {
    const folder = await mkdtemp(join(tmpdir(), "trail-processes-"));
    await symlink(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
    for (const source of SOURCES) {
      const files = await readdir(join(REPOSITORY, source), { recursive: true });
      const compiled = files
        .filter((file) => file.endsWith(".ts"))
        .map((file) => compile(join(source, file), folder));
      await Promise.all(compiled);
    }
    return new TrailProcesses(folder);
  }

  /**
   * Runs one command in a process. Returns how the process ended, and the state that it left on disk.
   *
   * @param state the state before the command
   * @param killAfter kills the process when this work is done; default: the process may finish
   */
  async run(
    order: Omit<Order, "stateFile">,
    state: EngineState,
    killAfter?: () => Promise<void>,
  ): Promise<{ ending: Ending; state: EngineState }> {
    const child = this.#next;
    // The next process loads its modules while this one works.
    this.#next = this.#fork();
    const stateFile = join(this.folder, "state.json");
    await writeFile(stateFile, JSON.stringify(state));
    const printed: Buffer[] = [];
    child.stderr?.on("data", (data: Buffer) => printed.push(data));
    if (child.exitCode !== null) {
      await once(child, "close");
      throw new Error(`The process could not start: ${Buffer.concat(printed).toString()}`);
    }
    let statements: number | undefined;
    child.on("message", (count: number) => (statements = count));
    const exit = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    child.send({ ...order, stateFile } satisfies Order);
    if (killAfter !== undefined) {
      await killAfter();
      child.kill("SIGKILL");
    }
    const [, signal] = await exit;
    const left = JSON.parse(await readFile(stateFile, "utf8")) as EngineState;
    if (signal === "SIGKILL") return { ending: "killed", state: left };
    if (statements === undefined) throw new Error(Buffer.concat(printed).toString());
    return { ending: statements, state: left };
  }

  /** Ends the waiting process and removes the folder. */
  async close(): Promise<void> {
    if (this.#next.exitCode === null) {
      const ended = once(this.#next, "exit");
      this.#next.kill("SIGKILL");
      await ended;
    }
    await rm(this.folder, { recursive: true });
  }

  #fork(): ChildProcess {
    return fork(join(this.folder, "test/support/trailProcess.js"), {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
    });
  }
}

async function compile(file: string, folder: string): Promise<void> {
  const target = join(folder, file.replace(/\.ts$/, ".js"));
  const { code } = await transform(await readFile(join(REPOSITORY, file), "utf8"), {
    filename: file,
    jsc: { target: "es2022", parser: { syntax: "typescript" } },
    module: { type: "commonjs" },
  });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
}
