import { parseArgs } from "node:util";
import { startSandbox } from ".";
import { POSTGRES_VERSIONS, PROFILES } from "./compute";
import { UserError } from "./errors";
import { FaultScriptError } from "./neon";
import { whenOrphaned } from "./orphan";
import type { SandboxOptions } from "./sandbox";

const USAGE = `Usage: npm run sandbox -- [--postgres ${POSTGRES_VERSIONS.join("|")}] [--sql FILE ...] [--profile ${PROFILES.join("|")}] [--faults FILE]`;

/**
 * `npm run sandbox`: starts a sandbox, prints its {@link SandboxInfo} as one JSON line on stdout and keeps it running
 * until a signal arrives or the process that started it ends. Returns the exit code.
 */
export async function main(args: string[]): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  let options;
  try {
    options = sandboxOptions(args);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    say(`${error.message}\n${USAGE}`);
    return 2;
  }
  const ended = end();
  try {
    const sandbox = await Promise.race([startSandbox({ ...options, progress: say }), ended]);
    // A signal came during the start. After this process has ended, the watchdog removes what was started so far.
    if (sandbox === undefined) return 1;
    process.stdout.write(`${JSON.stringify(sandbox.info)}\n`);
    say("The sandbox is ready. It runs until Ctrl-C or SIGTERM.");
    await ended;
    await sandbox.stop();
    return 0;
  } catch (error) {
    if (!(error instanceof UserError || error instanceof FaultScriptError)) throw error;
    say(error.message);
    return 1;
  }
}

function sandboxOptions(args: string[]): SandboxOptions {
  const { postgres, sql, profile, faults } = parse(args);
  return {
    postgres: postgres === undefined ? undefined : oneOf("--postgres", POSTGRES_VERSIONS, postgres),
    sql,
    profile: oneOf("--profile", PROFILES, profile),
    faults,
  };
}

function parse(args: string[]): { postgres?: string; sql?: string[]; profile: string; faults?: string } {
  try {
    return parseArgs({
      args,
      options: {
        postgres: { type: "string" },
        sql: { type: "string", multiple: true },
        profile: { type: "string", default: "neon" },
        faults: { type: "string" },
      },
    }).values;
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (!code.startsWith("ERR_PARSE_ARGS")) throw error;
    throw new UserError(message);
  }
}

function oneOf<Value extends string | number>(
  option: string,
  values: readonly Value[],
  given: string,
): Value {
  const value = values.find((each) => String(each) === given);
  if (value === undefined)
    throw new UserError(`${option} must be one of ${values.join(", ")}, not "${given}".`);
  return value;
}

/**
 * Resolves at the first signal, or when the process that started this one ends. Later signals are ignored, so that they
 * do not interrupt the clean-up.
 */
function end(): Promise<undefined> {
  return new Promise((resolve) => {
    const done = (): void => {
      resolve(undefined);
    };
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, done);
    void whenOrphaned().then(done);
  });
}
