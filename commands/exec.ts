import { spawn } from "node:child_process";
import { constants } from "node:os";
import { UserError } from "../provider/contract/errors";
import type { Run } from "../provider/contract/kind";
import { secret } from "../provider/contract/secrets";
import type { Target } from "../provider/contract/target";

/** Signals that end a program, and that its parent passes on. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/**
 * The URI by which the owner of a database connects to its direct endpoint, as Neon gives it.
 *
 * @throws UserError if the target does not exist, or Neon cannot be asked
 */
export async function ownerUri(target: Target & { readonly database: string }, run: Run): Promise<string> {
  const { projectId, branchId, endpointId, database } = await run.resolve(target);
  if (database === undefined) throw new Error("a target with a database resolved to one without");
  const { name, owner: role } = database;
  return secret(await run.neon.connectionUri({ projectId, branchId, endpointId, database: name, role }));
}

/**
 * Runs a command with `DATABASE_URL` in its environment. The URI is in no argument, file or output, so it reaches neither
 * a process list nor a state. Signals are passed on.
 *
 * @returns the exit code of the command; 128 and the number of the signal that ended it, as shells have it
 * @throws UserError if the command cannot be started
 */
export async function exec(
  [command = "", ...args]: readonly string[],
  uri: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const child = spawn(command, args, { stdio: "inherit", env: { ...environment, DATABASE_URL: uri } });
  const pass = (signal: NodeJS.Signals): void => {
    // A terminal sends SIGINT to every process of the group in the foreground, so the command has it already. A second
    // one would make many programs stop in the middle of their work.
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, pass);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) => {
        reject(
          new UserError(
            error.code === "ENOENT"
              ? `The command ${command} was not found. Check its name, or put its folder into PATH.`
              : `The command ${command} could not be started: ${error.message}.`,
          ),
        );
      });
      child.once("close", (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
  }
}
