import { spawn } from "node:child_process";
import path from "node:path";
import { UserError } from "../../provider/contract/errors";
import { PROJECT } from "../pulumiCli";

/**
 * Runs `neon-bemi ARGS` as a process of its own, as a pipeline does.
 *
 * @returns what it prints
 * @throws UserError with what it prints, if it does not exit with 0
 */
export async function neonBemi(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, [path.join(PROJECT, "neon-bemi"), ...args], { env });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return output;
  throw new UserError(`neon-bemi ${args.join(" ")} ended with ${code ?? "a signal"}:\n${output}`);
}
