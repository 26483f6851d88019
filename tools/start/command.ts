import { Cleanup } from "./cleanup";
import { describeFailure } from "./failure";
import { Interruption } from "./interruption";
import { Steps } from "./steps";

/**
 * Runs the steps of a command, and then every task that they added to `cleanup`, also after an error or a signal.
 *
 * @param farewell - printed before the clean-up, if a signal ended the steps
 * @returns the exit code: 0 if every step succeeded, 128 plus the number of the signal that ended them, otherwise 1
 */
export async function runCommand(
  work: (steps: Steps, cleanup: Cleanup, signal: AbortSignal) => Promise<void>,
  farewell?: string,
): Promise<number> {
  const interruption = new Interruption();
  const cleanup = new Cleanup();
  const steps = new Steps(process.stdout, interruption.signal);
  let code = 0;
  try {
    await work(steps, cleanup, interruption.signal);
  } catch (error) {
    code = interruption.exitCode ?? 1;
    // If the run was interrupted, the error is only a consequence of that, so it is not shown.
    if (interruption.exitCode === undefined) process.stderr.write(`\n${describeFailure(error)}\n`);
  }
  if (interruption.exitCode !== undefined && farewell !== undefined) steps.print(farewell);
  for (const failure of await cleanup.run()) {
    code ||= 1;
    process.stderr.write(`Cleaning up failed: ${describeFailure(failure)}\n`);
  }
  interruption.release();
  return code;
}
