import { spawn } from "node:child_process";
import { constants } from "node:os";
import { whenOrphaned } from "../sandbox/orphan";
import { ensurePulumiCli, PROJECT, withProgress } from "./pulumiCli";

/**
 * `npm run pulumi -- ARGS`: runs the Pulumi CLI that was found or prepared, in the project's folder, with the same
 * terminal and the same exit code as a direct call.
 */
export async function main(args: readonly string[]): Promise<number> {
  const cli = await withProgress((progress) => ensurePulumiCli({ progress }));
  const child = spawn(cli.command, args, {
    cwd: PROJECT,
    stdio: "inherit",
    // The program prints commands that mend its configuration, as the user would type them.
    env: { ...process.env, ...cli.env, PULUMI_NEON_BEMI_CLI: "npm run pulumi --" },
  });
  const terminate = () => {
    child.kill("SIGTERM");
  };
  const interrupt = () => {
    // A terminal sends SIGINT to every process of its foreground group, so the CLI has already received it. A second
    // SIGINT would stop the CLI at once, in the middle of a step. So pass it on only where there is no terminal.
    if (!process.stdin.isTTY && !process.stderr.isTTY) child.kill("SIGINT");
  };
  process.on("SIGINT", interrupt).on("SIGTERM", terminate);
  // A signal that is sent to npm alone ends npm and its shell, but does not reach this process.
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
