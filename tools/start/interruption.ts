import { whenOrphaned } from "../../sandbox/orphan";

/** Turns SIGINT, SIGTERM, SIGHUP and the end of the parent process into one abort signal. */
export class Interruption {
  private readonly controller = new AbortController();
  private code: number | undefined;
  private readonly handlers = Object.entries(EXIT_CODES).map(([signal, code]) => {
    const handler = (): void => {
      this.interrupt(code);
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });

  constructor() {
    void whenOrphaned().then(() => {
      this.interrupt(EXIT_CODES.SIGHUP);
    });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The exit code of a process that ends because of the signal; `undefined` before a signal arrives. */
  get exitCode(): number | undefined {
    return this.code;
  }

  /** Removes the signal handlers. */
  release(): void {
    for (const [signal, handler] of this.handlers) process.off(signal, handler);
  }

  /** Only the first signal counts, so that a second Ctrl-C does not end the clean-up. */
  private interrupt(code: number): void {
    this.code ??= code;
    this.controller.abort();
  }
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
