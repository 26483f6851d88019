import { parseArgs } from "node:util";
import { UserError } from "../../provider/contract/errors";
import type { PostgresVersion } from "../../sandbox/compute";
import { parsePostgres } from "../start/options";

/** The command line of `npm run pull-request`, for error messages. */
const USAGE = "npm run pull-request [-- --postgres VERSION]";

/**
 * Reads the command line of `npm run pull-request`.
 *
 * @returns major version of the sandbox's PostgreSQL; 17 unless it is given
 * @throws UserError with the usage, for an unknown argument or version
 */
export function parseOptions(args: readonly string[]): PostgresVersion {
  return parsePostgres(read(args), USAGE);
}

function read(args: readonly string[]): string {
  try {
    return parseArgs({ args: [...args], options: { postgres: { type: "string", default: "17" } } }).values
      .postgres;
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split(". ");
    throw new UserError(`${reason ?? "Unknown arguments"}. Usage: ${USAGE}`);
  }
}
