import { runCommand } from "./command";
import { runDemo } from "./demo";
import { parseOptions } from "./options";

/**
 * `npm start`: adds an audit trail to a real database in a sandbox, shows the changes that Bemi captures, removes the
 * trail and compares the database with how it was before. However it ends, no process and no file remains.
 *
 * @returns the exit code: 0 if every step succeeded, the changes were complete and everything is as before, or if
 * Ctrl-C ended `--keep`; 128 plus the number of the signal, if a signal ended a step; otherwise 1
 */
export function main(args: readonly string[]): Promise<number> {
  return runCommand(
    (steps, cleanup, signal) => runDemo(parseOptions(args), steps, cleanup, signal),
    "Stopping the sandbox and removing its files.",
  );
}
