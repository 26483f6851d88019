import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli";
import { cacheFolder } from "../../tools/pulumiCli/cache";

const VERSIONS = path.join(PROJECT, "bench", "toolsCheck", "versions");
const FILES = ["package.json", "requirements.txt"];

/** Where the schema tools are installed. */
export interface Installed {
  /** The folder with node_modules. */
  readonly folder: string;
  /** Folders with the programs, for PATH. */
  readonly bin: readonly string[];
}

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

/** How long one command of a tool may take, in milliseconds. */
const LONGEST = 120_000;

/** Runs a program, and waits for its end. Does not throw when it fails. */
export function runProgram(
  [program = "", ...args]: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  timeout = LONGEST,
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd, env, timeout, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, output: `${stdout}${stderr}${code === 0 ? "" : (error?.message ?? "")}` });
    });
  });
}

/**
 * Installs the schema tools from npm and PyPI into a folder of the cache, in the versions of `versions/`. Later calls find
 * them there.
 */
export async function installTools(progress: (line: string) => void): Promise<Installed> {
  const texts = await Promise.all(FILES.map((name) => readFile(path.join(VERSIONS, name), "utf8")));
  const hash = createHash("sha256").update(texts.join("\n")).digest("hex").slice(0, 16);
  const folder = path.join(path.dirname(cacheFolder(process.env)), `tools-check-${hash}`);
  const installed = {
    folder,
    bin: [path.join(folder, "node_modules", ".bin"), path.join(folder, "venv", "bin")],
  };
  const complete = path.join(folder, "complete");
  if (existsSync(complete)) return installed;
  await mkdir(folder, { recursive: true });
  for (const name of FILES) await cp(path.join(VERSIONS, name), path.join(folder, name));
  for (const command of [
    ["npm", "install", "--no-audit", "--no-fund"],
    ["python3", "-m", "venv", "venv"],
    [path.join(folder, "venv", "bin", "pip"), "install", "--quiet", "-r", "requirements.txt"],
  ]) {
    progress(command.join(" "));
    const { code, output } = await runProgram(command, folder, process.env, 10 * LONGEST);
    if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${output}`);
  }
  await writeFile(complete, "");
  return installed;
}
