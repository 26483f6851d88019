import { Cleanup } from "./cleanup";
import { describeFailure } from "./failure";
import { Interruption } from "./interruption";
import { Steps } from "./steps";

/**
 * Runs the steps of a command. Whatever happens, a signal included, what they have put into the clean-up is undone.
 *
 * @param farewell printed when a signal has ended the steps, before the clean-up
 * @returns the exit code: 0 when all went well, 128 and the signal's number when a signal ended it, else 1
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
    // What fails because it was interrupted has nothing to say.
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
