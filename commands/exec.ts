import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Transform } from "node:stream";
import { UserError } from "../provider/contract/errors";
import type { Run } from "../provider/contract/kind";
import { redact, secret } from "../provider/contract/secrets";
import type { OwnersDatabase } from "./execTarget";

/** Signals that end a program, and that its parent passes on. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/** How a command is run. */
export interface ExecOptions {
  /** Environment variables of the command, besides `DATABASE_URL`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder in which the command runs. Default: that of this process. */
  readonly folder?: string | undefined;
  /**
   * Replaces the URI, its password and other known secrets in what the command prints. The command then sees pipes
   * instead of a terminal. Default: false.
   */
  readonly redacted?: boolean;
}

/** What to run: a program with its arguments, or one line for the system's shell. */
export type CommandToRun = readonly string[] | { readonly shell: string };

/**
 * The URI by which the owner of a database connects to its direct endpoint, as Neon gives it.
 *
 * @throws UserError if the target does not exist, or Neon cannot be asked
 */
export async function ownerUri(
  { target, recorded }: Pick<OwnersDatabase, "target" | "recorded">,
  run: Run,
): Promise<string> {
  const { projectId, branchId, endpointId, database } = await run.resolve(target, recorded);
  if (database === undefined) throw new Error("a target with a database resolved to one without");
  const { name, owner: role } = database;
  const uri = await run.neon.connectionUri({ projectId, branchId, endpointId, database: name, role });
  secret(decodeURIComponent(new URL(uri).password));
  return secret(uri);
}

/**
 * Runs a command with `DATABASE_URL` in its environment. The URI is in no argument and no file, so it reaches neither a
 * process list nor a state. Signals are passed on.
 *
 * @returns the exit code of the command; 128 and the number of the signal that ended it, as shells have it
 * @throws UserError if the command cannot be started
 */
export async function exec(
  toRun: CommandToRun,
  uri: string,
  { environment, folder, redacted = false }: ExecOptions,
): Promise<number> {
  const [command, ...args] = "shell" in toRun ? [toRun.shell] : toRun;
  const child = spawn(command ?? "", args, {
    shell: "shell" in toRun,
    cwd: folder,
    stdio: redacted ? ["inherit", "pipe", "pipe"] : "inherit",
    env: { ...environment, DATABASE_URL: uri },
  });
  child.stdout?.pipe(redactedLines()).pipe(process.stdout, { end: false });
  child.stderr?.pipe(redactedLines()).pipe(process.stderr, { end: false });
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
              ? `The command ${command ?? ""} was not found. Check its name, or put its folder into PATH.`
              : `The command ${command ?? ""} could not be started: ${error.message}.`,
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

/** Passes text on line by line, because a secret may arrive in two pieces. */
function redactedLines(): Transform {
  let rest = "";
  return new Transform({
    decodeStrings: false,
    transform(chunk: Buffer, _encoding, done) {
      // One character a byte, so that no character is cut where two pieces meet.
      const lines = (rest + chunk.toString("latin1")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.push(`${redactBytes(line)}\n`, "latin1");
      done();
    },
    flush(done) {
      this.push(redactBytes(rest), "latin1");
      done();
    },
  });
}

function redactBytes(line: string): string {
  return Buffer.from(redact(Buffer.from(line, "latin1").toString("utf8")), "utf8").toString("latin1");
}
