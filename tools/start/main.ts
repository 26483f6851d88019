import { Cleanup } from "./cleanup";
import { runDemo } from "./demo";
import { describeFailure } from "./failure";
import { Interruption } from "./interruption";
import { parseOptions } from "./options";
import { Steps } from "./steps";

/**
 * `npm start`: gives a real database in a sandbox an audit trail, shows what Bemi sees of it, takes it away again and
 * compares. Whatever happens, nothing is left running and no file is left behind.
 *
 * @returns the exit code: 0 when every step succeeded, the changes were complete and everything is as before, or when
 * Ctrl-C ended `--keep`; 128 and the signal's number when a signal ended a step.
 */
export async function main(args: readonly string[]): Promise<number> {
  const interruption = new Interruption();
  const cleanup = new Cleanup();
  const steps = new Steps(process.stdout, interruption.signal);
  let code = 0;
  try {
    await runDemo(parseOptions(args), steps, cleanup, interruption.signal);
  } catch (error) {
    code = interruption.exitCode ?? 1;
    // What fails because it was interrupted has nothing to say.
    if (interruption.exitCode === undefined) process.stderr.write(`\n${describeFailure(error)}\n`);
  }
  if (interruption.exitCode !== undefined) steps.print("Stopping the sandbox and removing its files.");
  for (const failure of await cleanup.run()) {
    code ||= 1;
    process.stderr.write(`Cleaning up failed: ${describeFailure(failure)}\n`);
  }
  interruption.release();
  return code;
}
