import { spawn } from "node:child_process";

/**
 * Runs a program of the set-up to its end and returns its exit code. Its output goes to stderr. It is ended when this
 * process ends.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<number>}
 */
export function exitCode(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", 2, 2] });
    const kill = () => child.kill();
    process.once("exit", kill);
    child.once("error", reject);
    child.once("close", (code) => {
      process.off("exit", kill);
      resolve(code ?? 1);
    });
  });
}
