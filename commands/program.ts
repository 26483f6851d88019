import { Command, InvalidArgumentError, Option } from "commander";
import { BEMI } from "../provider/contract/fields/names";
import { UserError } from "../provider/contract/errors";
import { redact } from "../provider/contract/secrets";
import { VERSION } from "../provider/plugin/version";
import { DEFAULT_THRESHOLDS } from "../report/check/facts";
import { DEFAULT_MIN_WINDOW_HOURS } from "../report/plan/facts";
import { accountRun } from "./account";
import { check, CHECK_FORMATS, trailByArguments, trailsInStack, type TrailToCheck } from "./check/check";
import { EXCEPTIONS_FILE, readExceptions } from "./plan/exceptions";
import { plan, PLAN_FORMATS } from "./plan/plan";
import { execCommand } from "./execCommand";
import { withStack, withTarget, type Environment, type StackOptions, type TargetOptions } from "./options";
import { exportStack } from "./pulumi";

interface PlanCommandOptions extends StackOptions {
  readonly preview?: string;
  readonly format: keyof typeof PLAN_FORMATS;
  readonly strict?: true;
  readonly exceptions?: string;
  readonly pricePerGb?: number;
  readonly minWindow: number;
}

interface CheckCommandOptions extends TargetOptions, StackOptions {
  readonly schema?: readonly string[];
  readonly table?: readonly string[];
  readonly allTables?: true;
  readonly excludeTable?: readonly string[];
  readonly role: string;
  readonly publication: string;
  readonly slot: string;
  readonly allowedIp?: readonly string[];
  readonly format: keyof typeof CHECK_FORMATS;
  readonly maxIdle: number;
  readonly maxRetained: number;
  readonly maxLag: number;
}

/** Exit code of a command that could not do its work, or whose arguments make no sense. */
const FAILED = 3;

/**
 * Runs `neon-bemi ARGS`, and prints what it says.
 *
 * @param environment environment variables: NEON_API_KEY and the like, and what the commands that are run get
 * @returns the exit code
 */
export async function runCommand(args: readonly string[], environment: Environment): Promise<number> {
  try {
    return await parse(args, environment);
  } catch (error) {
    // The message of a UserError says everything the user needs. Anything else is a fault of this package.
    const text = error instanceof Error && !(error instanceof UserError) ? error.stack : undefined;
    console.error(redact(text ?? (error instanceof Error ? error.message : String(error))));
    return FAILED;
  }
}

async function parse(args: readonly string[], environment: Environment): Promise<number> {
  let exitCode = 0;
  const done = (code: number): void => {
    exitCode = code;
  };
  const program = new Command("neon-bemi")
    .description("Reports about audit trails with Bemi on Neon. No command but exec changes anything.")
    .version(VERSION)
    .exitOverride();
  program
    .addCommand(planCommand(environment, done))
    .addCommand(checkCommand(environment, done))
    .addCommand(execCommand(environment, done));
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!isCommanderError(error)) throw error;
    // It has printed what is wrong. Help and version are no mistakes.
    return error.exitCode === 0 ? 0 : FAILED;
  }
  return exitCode;
}

function isCommanderError(error: unknown): error is Error & { readonly exitCode: number } {
  return error instanceof Error && "exitCode" in error && typeof error.exitCode === "number";
}

function planCommand(environment: Environment, done: (code: number) => void): Command {
  return withStack(new Command("plan"))
    .exitOverride()
    .description("Says what the next up of a stack does, and what it costs. Changes nothing.")
    .option("--preview <file>", "a preview made with pulumi preview --json, instead of making one")
    .addOption(
      new Option("--format <format>", "how to print it").choices(Object.keys(PLAN_FORMATS)).default("text"),
    )
    .option("--strict", "exit with 1 if there are warnings")
    .option("--exceptions <file>", `findings that are accepted (default: ${EXCEPTIONS_FILE}, if it exists)`)
    .option("--price-per-gb <price>", "what a GB of write-ahead log costs you", number)
    .option(
      "--min-window <hours>",
      "statistics of a shorter time count as unknown",
      number,
      DEFAULT_MIN_WINDOW_HOURS,
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 clean, 1 warnings with --strict, 2 a finding blocks, 3 no report was made.",
    )
    .action(async (options: PlanCommandOptions) => {
      const { format, strict = false, exceptions, pricePerGb, minWindow: minWindowHours } = options;
      const { stack, cwd, preview } = options;
      const { output, exitCode } = await plan(
        {
          source: preview === undefined ? { stack, cwd, environment } : { file: preview },
          format,
          strict,
          report: { pricePerGb, minWindowHours, exceptions: readExceptions(exceptions, cwd) },
        },
        (settings) => accountRun(settings, environment),
      );
      process.stdout.write(output);
      done(exitCode);
    });
}

function checkCommand(environment: Environment, done: (code: number) => void): Command {
  const { maxIdleMinutes, maxRetainedMb, maxLagMb } = DEFAULT_THRESHOLDS;
  return withTarget(withStack(new Command("check")))
    .exitOverride()
    .description("Says whether trails are alive. Changes nothing.")
    .option("--schema <name...>", "every table of these schemas (default: public)")
    .option("--table <name...>", "exactly these tables, as schema.table")
    .option("--all-tables", "every table of the database")
    .option("--exclude-table <name...>", "tables that are not tracked")
    .option("--role <name>", "role that Bemi connects with", BEMI)
    .option("--publication <name>", "name of the publication", BEMI)
    .option("--slot <name>", "name of the replication slot", BEMI)
    .option("--allowed-ip <entry...>", "entries that the IP Allow list must have")
    .addOption(
      new Option("--format <format>", "how to print it").choices(Object.keys(CHECK_FORMATS)).default("text"),
    )
    .option("--max-idle <minutes>", "a consumer away for longer makes it dead", number, maxIdleMinutes)
    .option("--max-retained <MB>", "a slot that holds back more makes it degraded", number, maxRetainedMb)
    .option("--max-lag <MB>", "a consumer further behind makes it degraded", number, maxLagMb)
    .addHelpText(
      "after",
      "\nExit codes: 0 alive, 1 degraded, 2 dead or not set up, 3 could not be looked at.\nWithout --project-id, the trails of a stack are checked.",
    )
    .action(async (options: CheckCommandOptions) => {
      const { maxIdle, maxRetained, maxLag, format } = options;
      const { output, exitCode } = await check(
        {
          trails: await trailsToCheck(options, environment),
          format,
          thresholds: { maxIdleMinutes: maxIdle, maxRetainedMb: maxRetained, maxLagMb: maxLag },
        },
        (settings) => accountRun(settings, environment),
      );
      process.stdout.write(output);
      done(exitCode);
    });
}

async function trailsToCheck(
  options: CheckCommandOptions,
  environment: Environment,
): Promise<readonly TrailToCheck[]> {
  const { projectId, stack, cwd, schema, table, excludeTable, allowedIp } = options;
  if (projectId === undefined) return trailsInStack(await exportStack({ stack, cwd, environment }));
  const { branch, database, allTables, role, publication, slot } = options;
  return [
    trailByArguments({
      projectId,
      branch,
      database,
      schemas: schema,
      tables: table,
      allTables,
      excludeTables: excludeTable,
      role,
      publication,
      slot,
      allowedIps: allowedIp,
    }),
  ];
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError("It must be a number from 0 on.");
  return value;
}
