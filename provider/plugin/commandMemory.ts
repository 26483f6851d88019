import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";

/**
 * Answers that hold for one command of the user. `pulumi up` works in two plugin processes, one for the preview and one
 * for the update, and both refresh: what costs the database a login need not be asked twice. Neither process is told
 * which of the two it is, or anything that outlives it, so the first one leaves the answer in a private folder for
 * temporary files under the number of the command's process, and the second one takes it from there.
 *
 * Without a recognisable command (a test harness), answers hold for this process only.
 */
export class CommandMemory {
  readonly #here = new Map<string, Promise<string>>();
  readonly #command: string | undefined;
  readonly #folder: string;

  constructor(
    command = commandProcess(),
    folder = path.join(tmpdir(), `pulumi-neon-bemi-${userInfo().uid}`),
  ) {
    this.#command = command;
    this.#folder = folder;
  }

  /** Asks once per command. Key and answer are kept in a file: no secret may be in either. */
  once(key: string, ask: () => Promise<string>): Promise<string> {
    let answer = this.#here.get(key);
    if (answer === undefined) {
      answer = this.#recallOr(key, ask);
      answer.catch(() => this.#here.delete(key));
      this.#here.set(key, answer);
    }
    return answer;
  }

  async #recallOr(key: string, ask: () => Promise<string>): Promise<string> {
    if (this.#command === undefined) return ask();
    const file = path.join(
      this.#folder,
      `${this.#command}-${createHash("sha256").update(key).digest("hex")}`,
    );
    const left = this.#take(file);
    if (left !== undefined) return left;
    const answer = await ask();
    this.#leave(file, answer);
    return answer;
  }

  #take(file: string): string | undefined {
    try {
      // Somebody else's folder of that name is not to be believed.
      if (statSync(this.#folder).uid !== userInfo().uid) return undefined;
      const answer = readFileSync(file, "utf8");
      rmSync(file);
      return answer;
    } catch {
      return undefined;
    }
  }

  #leave(file: string, answer: string): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      for (const name of readdirSync(this.#folder)) {
        if (!isRunning(Number.parseInt(name, 10))) rmSync(path.join(this.#folder, name), { force: true });
      }
      writeFileSync(file, answer, { mode: 0o600 });
    } catch {
      // Only the saving is lost: the next process asks again.
    }
  }
}

/**
 * The process of the Pulumi CLI, as `<pid>`: the parent of the shell script by which the engine starts this process.
 * `undefined` when this process was started in another way.
 */
function commandProcess(): string | undefined {
  const shim = lookUp(process.ppid);
  return shim?.command.includes("pulumi-resource-pulumi-nodejs") === true ? String(shim.parent) : undefined;
}

function lookUp(pid: number): { readonly parent: number; readonly command: string } | undefined {
  try {
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    return { parent, command: readFileSync(`/proc/${pid}/cmdline`, "utf8") };
  } catch {
    // Systems without /proc.
    const { stdout } = spawnSync("ps", ["-o", "ppid=,command=", "-p", String(pid)], { encoding: "utf8" });
    const [, parent, command] = /^\s*(\d+)\s+(.*)/.exec(stdout) ?? [];
    return parent === undefined || command === undefined ? undefined : { parent: Number(parent), command };
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
