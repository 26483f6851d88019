import { differences, type Fact } from "./catalogState";
import type { Fault, FaultyMessages } from "./faultyMessages";
import type { Declared, PluginStack } from "./pluginStack";

/** What the stack has made: nothing, or what its first or its second program declares. */
type Place = "clean" | "made" | "changed";
type Command = "up" | "change" | "destroy";

/** Where each command begins. A destroy may also begin where the first program has been applied. */
const LEADS_TO = { up: "made", change: "changed", destroy: "clean" } as const;

/** One fault at one message of a command. */
interface Case {
  readonly command: Command;
  readonly at: number;
  readonly message: string;
  readonly fault: Fault;
  /** What is run afterwards: the same command, or the other way. */
  readonly then: "again" | "back";
}

/** What a sweep works on. */
export interface Swept {
  readonly messages: FaultyMessages;
  /** Everything as before the first command, and a stack without resources. */
  readonly begin: () => Promise<PluginStack>;
  readonly program: (changed: boolean) => Declared;
  /** Everything that a command could change, without what differs between two undisturbed runs. */
  readonly facts: () => Promise<Fact[]>;
  /** Differences that an undisturbed run has too, e.g. of a random password. */
  readonly ignored?: RegExp;
  /** Waits for what Neon still does for a plugin that was killed. */
  readonly settled: () => Promise<unknown>;
  /** What a user has to do by hand after a kill, and the error that asks for it. */
  readonly byHand?: { readonly asked: RegExp; readonly work: () => Promise<unknown> };
}

/** What a sweep found. */
export interface Found {
  readonly cases: number;
  /** The cases that ended otherwise than they should, each as one text. */
  readonly faulty: readonly string[];
}

/**
 * Runs up, a change and destroy without a fault and records their messages. Then, for each message, a case with each fault
 * that makes a difference there: the command, with the fault; then either the same command again, or destroy after an up
 * and up after a destroy. What is then there must be what is there without a fault. The cases follow each other, so that a
 * command which ends one of them also begins the next one.
 */
export async function sweep(swept: Swept): Promise<Found> {
  return new Sweep(swept, await swept.begin()).all();
}

class Sweep {
  readonly #expected: Partial<Record<Place, readonly Fact[]>> = {};
  #place: Place = "clean";

  constructor(
    private readonly swept: Swept,
    private stack: PluginStack,
  ) {}

  async all(): Promise<Found> {
    const left = await this.#record();
    const cases = left.up.length + left.change.length + left.destroy.length;
    const faulty: string[] = [];
    while (left.up.length + left.change.length + left.destroy.length > 0) {
      const next =
        this.#place === "clean"
          ? left.up.shift()
          : ((this.#place === "made" ? left.change.shift() : undefined) ?? left.destroy.shift());
      if (next === undefined) {
        await this.#must(this.#place === "clean" ? "up" : "destroy");
        continue;
      }
      const wrong = await this.#play(next).then(
        () => this.#wrong(),
        (error: unknown) => [String(error)],
      );
      if (wrong.length === 0) continue;
      const { command, at, message, fault, then } = next;
      faulty.push(`${command}, message ${at} (${message}): ${fault}, then ${then}: ${wrong.join("; ")}`);
      this.stack = await this.swept.begin();
      this.#place = "clean";
    }
    return { cases, faulty };
  }

  /** The messages of each command without a fault, as cases, and what they lead to. */
  async #record(): Promise<Record<Command, Case[]>> {
    this.#expected.clean = await this.swept.facts();
    const found: Partial<Record<Command, Case[]>> = {};
    for (const command of ["up", "change", "destroy"] as const) {
      found[command] = casesOf(command, await this.#must(command));
      if (command === "destroy") expect(await this.#wrong()).toEqual([]);
      else this.#expected[this.#place] = await this.swept.facts();
    }
    return found as Record<Command, Case[]>;
  }

  /** Runs a case from the place where its command begins. */
  async #play({ command, at, fault, then }: Case): Promise<void> {
    await this.swept.messages.during(() => this.#run(command), { at, fault });
    await this.swept.settled();
    const { byHand } = this.swept;
    if (fault.startsWith("dead") && byHand !== undefined && then === "again") {
      const { error } = await this.swept.messages.during(() => this.#run(command));
      if (error !== undefined && byHand.asked.test(error.message)) await byHand.work();
    }
    if (then === "again") await this.#must(command);
    else if (command === "destroy") await this.#must("up");
    else await this.#must("destroy");
  }

  /** Runs a command without a fault. Returns its messages. */
  async #must(command: Command): Promise<string[]> {
    const { sent, error } = await this.swept.messages.during(() => this.#run(command));
    if (error !== undefined) throw error;
    this.#place = LEADS_TO[command];
    return sent;
  }

  #run(command: Command): Promise<unknown> {
    if (command === "destroy") return this.stack.destroy();
    return this.stack.up(this.swept.program(command === "change"));
  }

  /** What is not as it should be in the present place. */
  async #wrong(): Promise<string[]> {
    const { ignored } = this.swept;
    const found = differences(this.#expected[this.#place] ?? [], await this.swept.facts());
    const wrong = found.filter((line) => ignored?.test(line) !== true);
    const left = Object.keys(this.stack.state);
    if (this.#place === "clean" && left.length > 0) wrong.push(`the state has ${left.join(", ")}`);
    const unfinished = left.filter((name) => "unfinished" in (this.stack.state[name]?.outputs ?? {}));
    if (unfinished.length > 0) wrong.push(`unfinished: ${unfinished.join(", ")}`);
    return wrong;
  }
}

/** The cases of a command that sends these messages without a fault. */
function casesOf(command: Command, sent: readonly string[]): Case[] {
  return sent.flatMap((message, at) => {
    return faultsAt(message, at).map((fault): Case => {
      const then = wayAfter(command, fault, at);
      return { command, at, message: message.slice(0, 60), fault, then };
    });
  });
}

/**
 * After each fault, the same command is run again, or, in turns, the other way, as by a user who gives up. After a kill,
 * the state may not know of what was made: only an up does, as `killed.test.ts` shows.
 */
function wayAfter(command: Command, fault: Fault, at: number): Case["then"] {
  if (fault.startsWith("dead") && command !== "destroy") return "again";
  // Not by odd and even, which is how the faults take turns.
  return at % 4 < 2 ? "back" : "again";
}

/** A message that changes nothing fails in one way, another one in each way that makes a difference. */
function faultsAt(message: string, at: number): readonly Fault[] {
  const inTurns = ["refused", "cut", "lost", "locked", "dead before"] as const;
  const reads = /^(login|GET|SHOW|WITH|SELECT|BEGIN|ROLLBACK)/.test(message);
  return reads
    ? [inTurns[at % inTurns.length] ?? "cut"]
    : [at % 2 === 0 ? "refused" : "locked", "lost", "dead after"];
}
