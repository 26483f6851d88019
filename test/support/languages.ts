import { spawnSync } from "node:child_process";
import path from "node:path";
import type { Languages } from "../../tools/pulumiCli/languagesMain";
import { PROJECT } from "../../tools/pulumiCli";

/**
 * The languages besides JavaScript that the tests can run programs in, each with the reason if it cannot be had. The first
 * call on a machine builds them, and says so on stderr. It blocks, because a test file must know when it is loaded which
 * tests to skip.
 */
export function languages(): Languages {
  const program = path.join(PROJECT, "dist", "tools", "pulumiCli", "languagesMain.js");
  const { status, stdout } = spawnSync(process.execPath, [program], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${program} ended with ${status ?? "a signal"}`);
  return JSON.parse(stdout) as Languages;
}
