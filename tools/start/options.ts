import { parseArgs } from "node:util";
import { UserError } from "../../provider/contract/errors";
import { POSTGRES_VERSIONS, type PostgresVersion } from "../../sandbox/compute";

/** The options of `npm start`. */
export interface StartOptions {
  /** Whether to keep the sandbox and the stack until Ctrl-C, instead of destroying and comparing. Default: false. */
  readonly keep: boolean;
  /** Major version of the sandbox's PostgreSQL. Default: 17. */
  readonly postgres: PostgresVersion;
}

/** The command line of `npm start`, for error messages. */
const USAGE = `npm start [-- [--keep] [--postgres ${POSTGRES_VERSIONS.join("|")}]]`;

/**
 * Reads the command line of `npm start`.
 * @throws UserError with the usage, for an unknown argument or version
 */
export function parseOptions(args: readonly string[]): StartOptions {
  const { keep, postgres } = read(args);
  return { keep, postgres: parsePostgres(postgres, USAGE) };
}

/**
 * Reads the value of `--postgres`.
 * @throws UserError with the versions and `usage`, if the sandbox has no such server
 */
export function parsePostgres(given: string, usage: string): PostgresVersion {
  const version = POSTGRES_VERSIONS.find((known) => String(known) === given);
  if (version === undefined) {
    throw new UserError(
      `--postgres ${given} is not one of the sandbox's servers: ${POSTGRES_VERSIONS.join(", ")}. Usage: ${usage}`,
    );
  }
  return version;
}

function read(args: readonly string[]): { keep: boolean; postgres: string } {
  try {
    return parseArgs({
      args: [...args],
      options: {
        keep: { type: "boolean", default: false },
        postgres: { type: "string", default: "17" },
      },
    }).values;
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split(". ");
    throw new UserError(`${reason ?? "Unknown arguments"}. Usage: ${USAGE}`);
  }
}
