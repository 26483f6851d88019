import type { Ora } from "ora";
import { printable } from "../../provider/contract/printable";

/** Receives one line for the user that says what a step is doing now. */
export type Progress = (line: string) => void;

/** The column in which the elapsed time of a step ends. */
const WIDTH = 80;
/** Shortest time between two progress lines without a terminal, so that logs stay short. */
const QUIET_MS = 10_000;

/**
 * Prints the steps of a run. Each step ends with one line: its result and the time it took. Meanwhile, a terminal shows
 * a spinner with the latest progress; without a terminal, progress is a few plain lines.
 */
export class Steps {
  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly interrupted: AbortSignal,
  ) {}

  /**
   * Runs one step. When the run is interrupted, it rejects at once, though `work` may still be running. So `work` must
   * register in the clean-up how to stop whatever it starts.
   *
   * @param done - turns the result into the line that is printed
   * @throws Interrupted if the run is interrupted, otherwise the error of `work`
   */
  async run<Result>(
    title: string,
    work: (progress: Progress) => Promise<Result>,
    done: (result: Result) => string,
  ): Promise<Result> {
    const started = performance.now();
    const display = await this.display(title);
    try {
      const result = await this.unlessInterrupted(
        work((line) => {
          display.progress(printable(line));
        }),
      );
      display.end("✔", this.timed(printable(done(result)), started));
      return result;
    } catch (error) {
      display.end("✖", this.timed(title, started));
      throw error;
    }
  }

  /** Prints lines between steps. Names in them can hold anything, so each line is made printable. */
  print(...texts: readonly string[]): void {
    for (const line of texts.flatMap((text) => text.split("\n"))) this.out.write(`${printable(line)}\n`);
  }

  private async unlessInterrupted<Result>(work: Promise<Result>): Promise<Result> {
    const { interrupted } = this;
    let onAbort = (): void => undefined;
    const abort = new Promise<never>((_, reject) => {
      onAbort = () => {
        reject(new Interrupted());
      };
      if (interrupted.aborted) onAbort();
      else interrupted.addEventListener("abort", onAbort);
    });
    try {
      return await Promise.race([work, abort]);
    } finally {
      interrupted.removeEventListener("abort", onAbort);
    }
  }

  /** The text with the time since `started` at the right. */
  private timed(text: string, started: number): string {
    const seconds = `${((performance.now() - started) / 1000).toFixed(1)} s`;
    const width = Math.min(WIDTH, this.out.isTTY ? this.out.columns : WIDTH);
    return `${text.padEnd(width - 2 - seconds.length - 1)} ${seconds}`;
  }

  private async display(title: string): Promise<Display> {
    return this.out.isTTY ? await spinner(title, this.out) : plain(title, this.out);
  }
}

/** The run was interrupted. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

interface Display {
  progress(line: string): void;
  end(symbol: string, text: string): void;
}

async function spinner(title: string, stream: NodeJS.WriteStream): Promise<Display> {
  // ora is an ES module only, so it is imported here. It draws on the stream of the results to keep their order.
  const { default: ora } = await import("ora");
  const drawn: Ora = ora({ text: title, stream, discardStdin: false }).start();
  return {
    progress(line) {
      drawn.text = `${title}: ${line}`.slice(0, Math.max(20, stream.columns - 4));
    },
    end(symbol, text) {
      drawn.stopAndPersist({ symbol, text });
    },
  };
}

function plain(title: string, stream: NodeJS.WriteStream): Display {
  let last = performance.now();
  return {
    progress(line) {
      if (performance.now() - last < QUIET_MS) return;
      last = performance.now();
      stream.write(`  ${title}: ${line}\n`);
    },
    end(symbol, text) {
      stream.write(`${symbol} ${text}\n`);
    },
  };
}
