import { spawn } from "node:child_process";
import { constants } from "node:os";
import { whenOrphaned } from "../sandbox/orphan";
import { findEngine, PROJECT, withProgress } from "./engine";

/**
 * `npm run pulumi -- ARGS`: the Pulumi CLI that was found or prepared, run in the project's folder, as if it had been
 * called directly: same terminal, same exit code.
 */
export async function main(args: readonly string[]): Promise<number> {
  const engine = await withProgress((progress) => findEngine({ progress }));
  const child = spawn(engine.command, args, {
    cwd: PROJECT,
    stdio: "inherit",
    env: { ...process.env, ...engine.env },
  });
  const terminate = () => {
    child.kill("SIGTERM");
  };
  const interrupt = () => {
    // A terminal interrupts every process of its foreground group, so the CLI has had the signal; a second one would
    // make it stop at once, in the middle of a step. Only without a terminal was the signal meant for this process.
    if (!process.stdin.isTTY && !process.stderr.isTTY) child.kill("SIGINT");
  };
  process.on("SIGINT", interrupt).on("SIGTERM", terminate);
  // A signal sent to npm alone ends it and its shell, and never arrives here.
  void whenOrphaned().then(terminate);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", terminate);
  }
}
