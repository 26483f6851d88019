import path from "node:path";
import { runCommand } from "../commands/program";
import { ensurePulumiCli, PROJECT, withProgress } from "./pulumiCli";

/** `npm run plan -- ARGS`: runs `neon-bemi plan` of this repository's program, with the Pulumi CLI that was found or prepared. */
export async function main(args: readonly string[]): Promise<number> {
  const cli = await withProgress((progress) => ensurePulumiCli({ progress }));
  const folders = [path.dirname(cli.command), process.env["PATH"] ?? ""];
  const environment = { ...process.env, ...cli.env, PATH: folders.join(path.delimiter) };
  return runCommand(["plan", "--cwd", PROJECT, ...args], environment);
}
