import { createHash } from "node:crypto";
import { PrivateFolder } from "./privateFolder";

/** Longest time that an answer is worth anything to the next process, in milliseconds: process ids come again. */
const LIFETIME = 10 * 60_000;

/** What an answer looks like: a few words. Anything else in a file is not from here. */
const ANSWER = /^[a-z ]{1,40}$/;

/**
 * Answers that hold for one command of the user. `pulumi up` uses two plugin processes, one for the preview and one for
 * the update, and both refresh; a question that costs a login should be asked once. Pulumi tells a process neither which
 * of the two it is nor anything about the other, and the first one has ended when the second one starts. So the first
 * one leaves the answer in a private folder, in a file named after the process id of the command, and the second one
 * takes it. Where there is no folder that only this user can write to, each process asks.
 */
export class CommandMemory {
  readonly #inMemory = new Map<string, Promise<string>>();
  readonly #command: number | undefined;
  readonly #folder: PrivateFolder;

  /**
   * @param command process id of the command; without one, answers hold for this process only
   * @param folder where answers wait for the next process; default: nowhere
   */
  constructor(command: number | undefined, folder = new PrivateFolder(undefined)) {
    this.#command = command;
    this.#folder = folder;
  }

  /**
   * Asks once per command; an error is not kept. Neither key nor answer may hold a secret, because both end up in a
   * file.
   *
   * @param ask answers with at most 40 lower-case letters and spaces; another answer holds for this process only
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
    this.#removeOld();
    const name = `${this.#command}-${createHash("sha256").update(key).digest("hex")}`;
    const kept = this.#folder.take(name);
    if (kept !== undefined && ANSWER.test(kept)) return kept;
    const answer = await ask();
    if (ANSWER.test(answer)) this.#folder.leave(name, answer);
    return answer;
  }

  /** Removes what commands left that were killed, or had nothing to update. */
  #removeOld(): void {
    for (const name of this.#folder.names()) {
      const [, command] = /^(\d{1,10})-[0-9a-f]{64}$/.exec(name) ?? [];
      if (command === undefined) continue;
      // The time of a file is that of the machine's clock, not of the monotonic one. A file of the future is old too.
      const age = Date.now() - (this.#folder.writtenAt(name) ?? 0);
      if (age < -LIFETIME || age > LIFETIME || !isRunning(Number(command))) this.#folder.remove(name);
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
