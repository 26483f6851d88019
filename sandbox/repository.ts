import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The path of a file of the repository. This code can also run from the compiled `dist`, which has no SQL files and no
 * scripts.
 */
export function repositoryFile(...path: readonly string[]): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return join(folder, ...path);
    if (folder === dirname(folder)) throw new Error(`No package.json above ${__dirname}.`);
  }
}
