import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";

/**
 * Answers that hold for one command of the user. `pulumi up` uses two plugin processes, one for the preview and one for
 * the update, and both refresh; a question that costs a login should be asked once. Pulumi tells a process neither which
 * of the two it is nor anything about the other. So the first one writes the answer into a private temporary folder, to
 * a file named after the process id of the command, and the second one reads and removes it.
 */
export class CommandMemory {
  readonly #inMemory = new Map<string, Promise<string>>();
  readonly #command: string | undefined;
  readonly #folder: string;

  /**
   * @param command process id of the command, see {@link commandProcess}; without one, answers hold for this process only
   * @param folder where answers wait for the next process; default: a folder of this user among the temporary files
   */
  constructor(
    command: string | undefined,
    folder = path.join(tmpdir(), `pulumi-neon-bemi-${userInfo().uid}`),
  ) {
    this.#command = command;
    this.#folder = folder;
  }

  /**
   * Asks once per command; an error is not kept. Neither key nor answer may hold a secret, because both end up in a
   * file.
   */
  once(key: string, ask: () => Promise<string>): Promise<string> {
    let answer = this.#inMemory.get(key);
    if (answer === undefined) {
      answer = this.#recallOr(key, ask);
      answer.catch(() => this.#inMemory.delete(key));
      this.#inMemory.set(key, answer);
    }
    return answer;
  }

  async #recallOr(key: string, ask: () => Promise<string>): Promise<string> {
    if (this.#command === undefined) return ask();
    const file = path.join(
      this.#folder,
      `${this.#command}-${createHash("sha256").update(key).digest("hex")}`,
    );
    const kept = this.#takeFile(file);
    if (kept !== undefined) return kept;
    const answer = await ask();
    this.#leaveFile(file, answer);
    return answer;
  }

  #takeFile(file: string): string | undefined {
    try {
      // Another user of the machine could have made a folder of this name and put forged answers into it.
      if (statSync(this.#folder).uid !== userInfo().uid) return undefined;
      const answer = readFileSync(file, "utf8");
      rmSync(file);
      return answer;
    } catch {
      return undefined;
    }
  }

  #leaveFile(file: string, answer: string): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      for (const name of readdirSync(this.#folder)) {
        if (!isRunning(Number.parseInt(name, 10))) rmSync(path.join(this.#folder, name), { force: true });
      }
      writeFileSync(file, answer, { mode: 0o600 });
    } catch {
      // The answer could not be kept. That is harmless, because the next process asks again.
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
