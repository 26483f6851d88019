import { parseArgs } from "node:util";
import { UserError } from "../provider/contract/errors";
import { POSTGRES_VERSIONS, type PostgresVersion } from "../sandbox/compute";
import { parsePostgres } from "../tools/start/options";

/** The parts that run for each number of tables, in this order. */
export const SQL_PARTS = ["identities", "lifecycle", "read", "new-table"] as const;
export type SqlPart = (typeof SQL_PARTS)[number];

/** The parts of the benchmark, in the order in which they run. */
export const PARTS = [...SQL_PARTS, "triggers", "engine", "fleet"] as const;
export type Part = (typeof PARTS)[number];

export interface BenchOptions {
  /** Numbers of tables, ascending. 10 is always among them, for comparison. */
  readonly tables: readonly number[];
  /** Major version of the server. */
  readonly postgres: PostgresVersion;
  readonly parts: readonly Part[];
  /** Numbers of trails of the part `fleet`, ascending. */
  readonly trails: readonly number[];
  /** How often everything is timed. The report shows the medians. */
  readonly rounds: number;
}

const USAGE = `npm run bench [-- [--tables 1000,5000] [--postgres ${POSTGRES_VERSIONS.join("|")}] [--only ${PARTS.join("|")}] [--rounds 5] [--trails 50,100,200]]`;

/**
 * Reads the command line of `npm run bench`.
 *
 * @throws UserError for an option or value that is not known
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { tables, postgres, only, rounds, trails } = read(args);
  const counts = numbers("tables", tables, 99_000);
  const version = parsePostgres(postgres, USAGE);
  const part = PARTS.find((known) => known === only);
  if (only !== undefined && part === undefined)
    throw new UserError(
      `--only ${only} is not a part of the benchmark: ${PARTS.join(", ")}. Usage: ${USAGE}`,
    );
  if (!/^[1-9]\d?$/.test(rounds))
    throw new UserError(`--rounds ${rounds} is not a number from 1 to 99. Usage: ${USAGE}`);
  return {
    tables: ascending([10, ...counts]),
    trails: ascending(numbers("trails", trails, 900)),
    postgres: version,
    // The fleet takes longer than everything else together.
    parts: part === undefined ? PARTS.filter((each) => each !== "fleet") : [part],
    rounds: Number(rounds),
  };
}

function numbers(option: string, text: string, most: number): number[] {
  const counts = text.split(",").map(Number);
  if (counts.every((count) => Number.isInteger(count) && count >= 1 && count <= most)) return counts;
  throw new UserError(`--${option} ${text} is not a list of numbers from 1 to ${most}. Usage: ${USAGE}`);
}

function ascending(counts: readonly number[]): number[] {
  return [...new Set(counts)].sort((a, b) => a - b);
}

function read(args: readonly string[]): {
  tables: string;
  postgres: string;
  only?: string;
  rounds: string;
  trails: string;
} {
  try {
    return parseArgs({
      args: [...args],
      options: {
        tables: { type: "string", default: "1000,5000" },
        postgres: { type: "string", default: "17" },
        only: { type: "string" },
        rounds: { type: "string", default: "5" },
        trails: { type: "string", default: "50,100,200" },
      },
    }).values;
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split(". ");
    throw new UserError(`${reason ?? "Unknown arguments"}. Usage: ${USAGE}`);
  }
}
