import { connect } from "node:net";
import { UserError } from "../contract/errors";

/** How often the engine is looked for, in milliseconds. */
const INTERVAL = 1_000;

/**
 * Notices that the engine is gone. SIGINT or SIGKILL of the CLI leave the plugin process alive, in the middle of a
 * create that a later run will repeat: it must not go on writing beside that run.
 *
 * The engine gives the plugin its address as the first argument; while it lives, something listens there. (The parent
 * process is no witness: it is the shell that started Node, and outlives the engine.)
 */
export class EngineWatch {
  #gone = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly address: string | undefined) {}

  /** Begins to watch; without an engine's address (a test harness) there is nothing to watch. */
  start(): void {
    const [, host, port] = /^(.+):(\d+)$/.exec(this.address ?? "") ?? [];
    if (host === undefined || port === undefined || this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      this.#look(host, Number(port));
    }, INTERVAL);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** @throws UserError when the engine is gone. */
  checkpoint(): void {
    if (this.#gone) {
      throw new UserError(
        "Stopped between two steps, as the Pulumi engine is gone; the next up goes on from here.",
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
