import { AsyncLocalStorage } from "node:async_hooks";
import { connectivityState, credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import { UserError } from "../contract/errors";
import { printable } from "../contract/printable";
import { LOCAL } from "./grpc";

/** A call of the engine that is being answered: which resource it is about, and what still has to reach the engine. */
interface Call {
  readonly urn: string;
  readonly isCancelled: () => boolean;
  readonly unsent: Promise<void>[];
}

type Severity = "info" | "warning";

const SEVERITIES = { info: LogSeverity.INFO, warning: LogSeverity.WARNING } as const;

/** How long an idle connection to the engine stays open, in milliseconds: its end must only ever mean the engine's. */
const FOREVER = 2 ** 31 - 1;

/**
 * How long the process may work before it connects to the engine, in milliseconds, if it has nothing to say to it until
 * then. Connecting takes a tenth of the processor time of a process that only reads, and such a process is done before.
 */
const CONNECT_AFTER_MS = 300;

/**
 * The way back to Pulumi's engine: log lines under the resource they are about, and the news that the engine has been
 * cancelled or is gone. A CLI that is killed, or whose output is closed, leaves the plugin process behind; the process
 * then ends at the next safe point between two writes, and at once when it is idle.
 */
export class Engine {
  readonly #calls = new AsyncLocalStorage<Call>();
  readonly #exit: () => void;
  #client: EngineClient | undefined;
  #address: string | undefined;
  #cancelled = false;
  #gone = false;
  #ending = false;
  #running = 0;
  #hasWorked = false;
  /** Settles when the lines logged so far have arrived: lines are sent one after the other, to keep their order. */
  #sent: Promise<void> = Promise.resolve();

  /** @param exit ends the process */
  constructor(exit: () => void) {
    this.#exit = exit;
  }

  /** Where the engine listens; `undefined` before it has said so. */
  get address(): string | undefined {
    return this.#address;
  }

  /** Whether a call about a resource was answered, and the engine is still there. */
  get hasWorked(): boolean {
    return this.#hasWorked && !this.#gone;
  }

  /**
   * Connects to the engine, whose address comes as the first argument of the process or by Attach: before the first line
   * for it or the first checkpoint, and in any case soon.
   */
  connect(address: string): void {
    const previous = this.#client;
    this.#address = address;
    this.#client = undefined;
    // Only now that it is not in use any more: its end would mean the end of the engine.
    previous?.close();
    setTimeout(() => this.#connected(), CONNECT_AFTER_MS).unref();
  }

  /** The engine's Cancel: every checkpoint throws from now on. */
  cancel(): void {
    this.#cancelled = true;
  }

  /** The engine, or the user, asks the process to end: at once when it is idle, otherwise at the next checkpoint. */
  end(): void {
    this.#ending = true;
    this.#exitIfDone();
  }

  /**
   * Answers one call about a resource: lines that are logged meanwhile stand under this resource, and have arrived when
   * the promise settles.
   */
  async during<Result>(
    urn: string,
    isCancelled: () => boolean,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const unsent: Promise<void>[] = [];
    this.#running += 1;
    try {
      return await this.#calls.run({ urn, isCancelled, unsent }, work);
    } finally {
      await Promise.all(unsent);
      this.#running -= 1;
      this.#hasWorked = true;
      this.#exitIfDone();
    }
  }

  /** A line under the resource, made printable: without secrets and control characters, whatever names it holds. */
  log(message: string, severity: Severity = "info"): void {
    this.#send(message, severity, false);
  }

  /** Progress: a line beside the resource while it works, replaced by the next one. Made printable too. */
  status(message: string): void {
    this.#send(message, "info", true);
  }

  /** @throws UserError when the engine has cancelled the run or is gone, or the process is to end */
  checkpoint(): void {
    this.#connected();
    if (this.#cancelled || this.#gone || this.#ending || this.#calls.getStore()?.isCancelled() === true)
      throw new UserError(
        "Stopped between two steps, because the run was cancelled. The next up continues from here.",
      );
  }

  #send(message: string, severity: Severity, ephemeral: boolean): void {
    const client = this.#connected();
    if (client === undefined || this.#gone) return;
    const call = this.#calls.getStore();
    const request = new LogRequest();
    request.setSeverity(SEVERITIES[severity]);
    request.setMessage(printable(message));
    request.setUrn(call?.urn ?? "");
    request.setEphemeral(ephemeral);
    // A line that does not arrive is no reason to fail the work it is about.
    this.#sent = this.#sent.then(
      () =>
        new Promise((resolve) => {
          client.log(request, () => {
            resolve();
          });
        }),
    );
    call?.unsent.push(this.#sent);
  }

  /** The connection to the engine, made at the first call; `undefined` where no engine has said where it listens. */
  #connected(): EngineClient | undefined {
    if (this.#client !== undefined || this.#address === undefined) return this.#client;
    const client = new EngineClient(this.#address, credentials.createInsecure(), {
      ...LOCAL,
      "grpc.client_idle_timeout_ms": FOREVER,
    });
    this.#client = client;
    this.#watch(client);
    return client;
  }

  /** Waits for the end of the connection. A connection on one machine ends only with one of its two processes. */
  #watch(client: EngineClient): void {
    if (client !== this.#client) return;
    const channel = client.getChannel();
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) {
      this.#gone = true;
      this.#exitIfDone();
      return;
    }
    channel.watchConnectivityState(state, Infinity, () => {
      this.#watch(client);
    });
  }

  #exitIfDone(): void {
    if ((this.#gone || this.#ending) && this.#running === 0) this.#exit();
  }
}
