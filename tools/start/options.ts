import { parseArgs } from "node:util";
import { UserError } from "../../provider/contract/errors";
import { POSTGRES_VERSIONS, type PostgresVersion } from "../../sandbox/compute";

export interface StartOptions {
  /** Leaves the sandbox and the stack up until Ctrl-C, instead of destroying and comparing. */
  readonly keep: boolean;
  /** Major version of the sandbox's PostgreSQL. */
  readonly postgres: PostgresVersion;
}

export const USAGE = `npm start [-- [--keep] [--postgres ${POSTGRES_VERSIONS.join("|")}]]`;

/** Reads the command line of `npm start`. */
export function parseOptions(args: readonly string[]): StartOptions {
  const { keep, postgres } = read(args);
  return { keep, postgres: parsePostgres(postgres, USAGE) };
}

/** Reads the value of `--postgres`; `usage` is part of the error. */
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
