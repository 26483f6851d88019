import { connect } from "node:net";
import { UserError } from "../contract/errors";

/** How often to check for the engine, in milliseconds. */
const INTERVAL = 1_000;

/**
 * Notices that Pulumi's engine is gone. The plugin process survives a SIGINT or SIGKILL of the CLI, perhaps in the
 * middle of a create that the next run repeats. It must stop then, otherwise both runs would write at the same time.
 *
 * The engine passes its address to the plugin as the first argument, and listens there while it lives. (The parent
 * process proves nothing: it is the shell that started Node, which outlives the engine.)
 */
export class EngineWatch {
  #gone = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly address: string | undefined) {}

  /** Begins to watch. Does nothing without an engine's address, as in tests. */
  start(): void {
    const [, host, port] = /^(.+):(\d+)$/.exec(this.address ?? "") ?? [];
    if (host === undefined || port === undefined || this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      this.#look(host, Number(port));
    }, INTERVAL);
    this.#timer.unref();
  }

  /** Ends the watch; what it has noticed stays. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** @throws UserError when the engine is gone */
  checkpoint(): void {
    if (this.#gone) {
      throw new UserError(
        "Stopped between two steps, because the Pulumi engine is gone; the next up goes on from here.",
      );
    }
  }

  #look(host: string, port: number): void {
    const socket = connect({ host, port });
    socket.unref();
    socket.once("connect", () => socket.destroy());
    socket.once("error", () => {
      this.#gone = true;
    });
  }
}
