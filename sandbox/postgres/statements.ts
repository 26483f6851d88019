import { once } from "node:events";
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { CommitFault } from "../compute";
import { message, messageAt, proxyError, query, READY_IDLE, type Message } from "./messages";

/** A statement that Neon's computes forward to the control plane at the commit. It may be text inside a DO block. */
const ROLE_STATEMENT = /\b(CREATE|ALTER|DROP)\s+(ROLE|USER)\b/i;
const COMMIT = /^\s*(COMMIT|END)\b/i;
const ROLLBACK = /^\s*(ROLLBACK|ABORT)\b(?!\s+TO)/i;
const EVENT_TRIGGER = /^(\s|--.*\n|\/\*.*?\*\/)*CREATE\s+EVENT\s+TRIGGER\b/i;
/** The longest message that is looked into, in bytes. Longer ones carry data. */
const LONGEST = 1_000_000;

/** What the front door does to statements. */
export interface StatementRules {
  /** Called once for each transaction with a statement about a role. What goes wrong at its commit, if anything. */
  readonly roleFault: () => CommitFault | undefined;
  /** A statement that lets the statement after it create an event trigger; `undefined` if nobody may. */
  readonly beforeEventTrigger: string | undefined;
}

/**
 * What a client sends, on its way to the server. Two kinds of statements do not just pass:
 *
 * - Statements about roles. It plays the part that Neon's control plane has in them: at the COMMIT of their transaction it
 *   may answer late or refuse, and then the transaction is rolled back. Locks stay held until then, as on Neon. Without a
 *   fault, they pass.
 * - CREATE EVENT TRIGGER, which runs in one transaction with the statement that permits it.
 *
 * It takes for granted that a client sends such a statement only when the answer to the one before has arrived.
 */
export class ClientStatements extends Writable {
  /** The beginning of a message whose end has not arrived yet. */
  #held: Buffer = Buffer.alloc(0);
  /** How many bytes are left of a message that passes through. */
  #passing = 0;
  /** What happens at the commit of the open transaction. */
  #atCommit: CommitFault | undefined;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly rules: StatementRules,
  ) {
    super();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error) => void): void {
    this.#take(chunk).then(() => {
      done();
    }, done);
  }

  override _final(done: () => void): void {
    this.server.end(this.#held);
    done();
  }

  async #take(chunk: Buffer): Promise<void> {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    let sent = 0;
    let at = 0;
    while (at < data.length) {
      if (this.#passing > 0) {
        const bytes = Math.min(this.#passing, data.length - at);
        this.#passing -= bytes;
        at += bytes;
        continue;
      }
      const next = this.#look(data, at);
      if (next === "unfinished") {
        await this.#send(data.subarray(sent, at));
        this.#held = data.subarray(at);
        return;
      }
      if (typeof next === "number") {
        this.#passing = next;
        continue;
      }
      await this.#send(data.subarray(sent, at));
      await next.work();
      sent = at = at + next.bytes;
    }
    await this.#send(data.subarray(sent));
  }

  /**
   * What is to be done with the message that begins there: the number of bytes that just pass, or some work instead of
   * so many bytes. `unfinished`: more bytes are needed to decide.
   */
  #look(data: Buffer, at: number): number | "unfinished" | { work: () => Promise<void>; bytes: number } {
    if (data.length < at + 5) return "unfinished";
    const bytes = 1 + data.readInt32BE(at + 1);
    const type = String.fromCharCode(data[at] ?? 0);
    if ((type !== "Q" && type !== "P") || bytes > LONGEST) return bytes;
    const found = messageAt(data, at);
    if (found === undefined) return "unfinished";
    const statement = statementOf(found);
    const fault = this.#atCommit;
    if (fault !== undefined && ROLLBACK.test(statement)) this.#atCommit = undefined;
    const { roleFault, beforeEventTrigger } = this.rules;
    const createsTrigger = beforeEventTrigger !== undefined && EVENT_TRIGGER.test(statement);
    if (!createsTrigger && !(fault === undefined ? ROLE_STATEMENT : COMMIT).test(statement)) return bytes;
    const group = groupAt(data, at);
    if (group === undefined) return "unfinished";
    if (group === "open") return bytes;
    const instead = (work: () => Promise<Buffer[]>) => ({
      work: () => this.#diverted(work),
      bytes: group.length,
    });
    if (createsTrigger) return instead(() => this.#inTransaction(group, { first: beforeEventTrigger }));
    if (fault !== undefined) {
      this.#atCommit = undefined;
      return instead(() => this.#commit(group, fault));
    }
    const next = roleFault();
    return next === undefined ? group.length : instead(() => this.#inTransaction(group, { fault: next }));
  }

  /**
   * Runs a statement in the client's transaction, or in one of its own.
   *
   * @param around a statement before it, and what happens at the commit
   * @returns what the client gets
   */
  async #inTransaction(
    group: Buffer,
    around: { readonly first?: string; readonly fault?: CommitFault },
  ): Promise<Buffer[]> {
    const status = await this.#status();
    if (status === "E") return this.#ask(group);
    if (status === "I") await this.#ask(query("BEGIN"));
    if (around.first !== undefined) await this.#ask(query(around.first));
    const answer = await this.#ask(group);
    if (status === "T") {
      this.#atCommit ??= around.fault;
      return answer;
    }
    const before = answer.slice(0, -1);
    if (statusOf(answer) === "T") return this.#end(before, around.fault);
    await this.#ask(query("ROLLBACK"));
    return [...before, READY_IDLE];
  }

  async #commit(group: Buffer, fault: CommitFault): Promise<Buffer[]> {
    return (await this.#status()) === "T" ? this.#end([], fault, group) : this.#ask(group);
  }

  /**
   * Ends the open transaction as the fault says.
   *
   * @param before what the client gets before the result of the commit
   * @param commit the client's own COMMIT, whose answer it gets
   */
  async #end(before: Buffer[], fault: CommitFault | undefined, commit?: Buffer): Promise<Buffer[]> {
    await sleep(fault?.delayMs ?? 0);
    if (fault?.error !== undefined) {
      await this.#ask(query("ROLLBACK"));
      return [proxyError(fault.error), READY_IDLE];
    }
    const answer = await this.#ask(commit ?? query("COMMIT"));
    const failed = answer.some((each) => typeOf(each) === "E");
    return commit !== undefined || failed ? answer : [...before, READY_IDLE];
  }

  /** The server's transaction status: I (none), T (open) or E (failed). An empty query does not change it. */
  async #status(): Promise<string> {
    return statusOf(await this.#ask(query("")));
  }

  /** Runs `work` while the server's answers do not reach the client, then gives the client its result. */
  async #diverted(work: () => Promise<Buffer[]>): Promise<void> {
    this.server.unpipe(this.client);
    const answer = await work();
    this.client.write(Buffer.concat(answer));
    this.server.pipe(this.client);
  }

  /** Sends bytes and returns the messages of the answer, up to and with ReadyForQuery. */
  async #ask(bytes: Buffer): Promise<Buffer[]> {
    const messages: Buffer[] = [];
    let received: Buffer = Buffer.alloc(0);
    const answered = new Promise<void>((resolve, reject) => {
      const closed = (): void => {
        reject(new Error("The server closed the connection."));
      };
      const onData = (chunk: Buffer): void => {
        received = Buffer.concat([received, chunk]);
        for (let found = messageAt(received, 0); found !== undefined; found = messageAt(received, 0)) {
          messages.push(found.bytes);
          received = received.subarray(found.bytes.length);
          if (found.type !== "Z") continue;
          this.server.removeListener("data", onData).removeListener("close", closed).pause();
          resolve();
        }
      };
      this.server.on("data", onData).once("close", closed).resume();
    });
    await this.#send(bytes);
    await answered;
    return messages;
  }

  async #send(bytes: Buffer): Promise<void> {
    if (bytes.length > 0 && !this.server.write(bytes)) await once(this.server, "drain");
  }
}

/** The statement of a Query or a Parse. A Parse has the name of the prepared statement before it. */
function statementOf({ type, content }: Message): string {
  const from = type === "Q" ? 0 : content.indexOf(0) + 1;
  return content.toString("utf8", from, content.indexOf(0, from));
}

/**
 * The messages by which a client sends one statement: a Query, or everything from a Parse to the Sync after it. `open`:
 * the client asks for an answer before the Sync. `undefined`: their end has not arrived yet.
 */
function groupAt(data: Buffer, at: number): Buffer | "open" | undefined {
  for (let end = at; ;) {
    const next = messageAt(data, end);
    if (next === undefined) return undefined;
    end += next.bytes.length;
    if (next.type === "H") return "open";
    if (next.type === "Q" || next.type === "S") return data.subarray(at, end);
  }
}

function typeOf(bytes: Buffer): string {
  return String.fromCharCode(bytes[0] ?? 0);
}

function statusOf(messages: readonly Buffer[]): string {
  const last = messages.at(-1) ?? message("Z", "I");
  return String.fromCharCode(last[5] ?? 0);
}
