import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface ChildOptions {
  readonly cwd?: string;
  /** The whole environment of the child. Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** When it aborts, the child and everything it started end, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with each line of stdout and stderr. */
  onLine?(line: string): void;
}

export interface ChildResult {
  /** Exit code; `null` if a signal ended the child. */
  readonly code: number | null;
  readonly stdout: string;
  /** The last lines of stdout and stderr together, for an error message. */
  readonly tail: string;
}

const TAIL_LINES = 6;

/**
 * Runs a program to its end. Compilers and shells start children, so the program gets its own process group, which can
 * be ended as a whole. The group ends with this process, unless this process is killed.
 */
export async function runChild(
  command: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildResult> {
  options.signal?.throwIfAborted();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const kill = () => {
    killGroup(child.pid);
  };
  process.once("exit", kill);
  options.signal?.addEventListener("abort", kill, { once: true });
  let stdout = "";
  const tail: string[] = [];
  const onLine = (line: string) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    options.onLine?.(line);
  };
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  createInterface({ input: child.stdout }).on("line", onLine);
  createInterface({ input: child.stderr }).on("line", onLine);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    options.signal?.throwIfAborted();
    return { code, stdout, tail: tail.join("\n") };
  } finally {
    process.off("exit", kill);
    options.signal?.removeEventListener("abort", kill);
  }
}

function killGroup(group: number | undefined): void {
  if (group === undefined) return;
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // The group has ended by itself.
  }
}
