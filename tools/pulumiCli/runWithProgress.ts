import { seconds } from "./cache";
import { type ChildOptions, type ChildResult, runChild } from "./child";
import type { Progress } from "./pulumiCli";

const LINE_MS = 5_000;

/** Runs a program to its end, and says what `phase` returns when it begins and every few seconds while it lasts. */
export async function runWithProgress(
  command: string,
  args: readonly string[],
  options: ChildOptions,
  progress: Progress,
  phase: () => string,
): Promise<ChildResult> {
  const started = Date.now();
  const tell = () => {
    progress(`${phase()} (${seconds(Date.now() - started)})`);
  };
  tell();
  const ticking = setInterval(tell, LINE_MS);
  try {
    return await runChild(command, args, options);
  } finally {
    clearInterval(ticking);
  }
}

/** The last line that a program printed, for an error message. */
export function lastLine({ tail, code }: ChildResult): string {
  return tail.trim().split("\n").at(-1) || `exit code ${String(code)}`;
}
