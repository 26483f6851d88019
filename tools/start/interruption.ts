import { whenOrphaned } from "../../sandbox/orphan";

/** Turns SIGINT, SIGTERM, SIGHUP and the end of whoever started us into one abort signal. */
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

  /** What a process that ends because of the signal reports; `undefined` while there was none. */
  get exitCode(): number | undefined {
    return this.code;
  }

  /** Hands the signals back to Node. */
  release(): void {
    for (const [signal, handler] of this.handlers) process.off(signal, handler);
  }

  /** Only the first one counts: who repeats Ctrl-C must not end the cleaning up. */
  private interrupt(code: number): void {
    this.code ??= code;
    this.controller.abort();
  }
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
