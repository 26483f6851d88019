import { runCommand } from "./command";
import { runDemo } from "./demo";
import { parseOptions } from "./options";

/**
 * `npm start`: gives a real database in a sandbox an audit trail, shows what Bemi sees of it, takes it away again and
 * compares. Whatever happens, nothing is left running and no file is left behind.
 *
 * @returns the exit code: 0 when every step succeeded, the changes were complete and everything is as before, or when
 * Ctrl-C ended `--keep`; 128 and the signal's number when a signal ended a step.
 */
export function main(args: readonly string[]): Promise<number> {
  return runCommand(
    (steps, cleanup, signal) => runDemo(parseOptions(args), steps, cleanup, signal),
    "Stopping the sandbox and removing its files.",
  );
}
