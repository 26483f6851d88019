import { runCommand } from "../start/command";
import { runFlow } from "./flow";
import { parseOptions } from "./options";

/**
 * `npm run pull-request`: what a pipeline does for a pull request, in a sandbox whose production has a trail. The program
 * is examples/pull-request.
 *
 * @returns the exit code: 0 if every step succeeded and production is as before; 128 plus the number of the signal that
 * ended a step; otherwise 1
 */
export function main(args: readonly string[]): Promise<number> {
  return runCommand(
    (steps, cleanup, signal) => runFlow(parseOptions(args), steps, cleanup, signal),
    "Stopping the sandbox and removing its files.",
  );
}
