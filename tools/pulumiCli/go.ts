import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import type { ChildOptions } from "./child";
import { runChild } from "./child";
import { hasCode, type Progress, Unavailable } from "./pulumiCli";
import { runWithProgress } from "./runWithProgress";
import { isGoUsable, type Pins } from "./versions";

/** What a preparation with Go needs. */
export interface Preparation {
  readonly pins: Pins;
  /** The folder of the Go modules `cli`, `nodejs-host`, `yaml-host` and `python-host`. */
  readonly modules: string;
  readonly progress: Progress;
  /** When it aborts, the running program is ended. */
  readonly interrupted: AbortSignal;
}

/** One program to build. */
export interface Target {
  /** What the progress line calls it. */
  readonly what: string;
  /** Name of the module's folder. */
  readonly module: string;
  /** Import path of the program, or its folder in the module. */
  readonly program: string;
  /** Name of the executable. */
  readonly output: string;
  /** The variable that holds the version, and its value. Default: the program has none. */
  readonly version?: readonly [variable: string, value: string];
  /** Further arguments of `go build`. */
  readonly args?: readonly string[];
}

/**
 * Builds programs into `bin` of the folder.
 * @throws Unavailable if Go is missing or too old, or a build fails
 */
export async function buildPrograms(
  folder: string,
  preparation: Preparation,
  targets: readonly Target[],
): Promise<void> {
  const { pins, modules, interrupted } = preparation;
  const work = path.join(folder, "go-build");
  await mkdir(work, { recursive: true });
  const env = {
    ...process.env,
    GOWORK: "off",
    GOTOOLCHAIN: "local",
    CGO_ENABLED: "0",
    // Go's temporary files are inside the folder, so they are removed with it, even after Go was killed.
    GOTMPDIR: work,
  };
  await requireGo(pins.go, { cwd: modules, env, signal: interrupted });
  await mkdir(path.join(folder, "bin"), { recursive: true });
  for (const target of targets) await build(folder, target, env, preparation);
  await rm(work, { recursive: true });
}

async function requireGo(oldest: string, options: ChildOptions): Promise<void> {
  let version: string;
  try {
    version = (await runChild("go", ["version"], options)).stdout.trim();
  } catch (error) {
    if (hasCode(error, "ENOENT")) {
      throw new Unavailable(`there is no \`go\` on PATH (needed: ${oldest} or newer)`);
    }
    throw error;
  }
  if (!isGoUsable(version, oldest)) throw new Unavailable(`"${version}" is older than ${oldest}`);
}

async function build(
  folder: string,
  { what, module, program, output, version, args = [] }: Target,
  env: NodeJS.ProcessEnv,
  { modules, progress, interrupted }: Preparation,
): Promise<void> {
  let downloaded = 0;
  let compiled = 0;
  const flags = version === undefined ? "-s -w" : `-s -w -X ${version.join("=")}`;
  const result = await runWithProgress(
    "go",
    [
      // -v prints each package when its compilation begins: the only progress that Go shows.
      ...["build", "-v", "-mod=readonly", ...args, "-ldflags", flags],
      ...["-o", path.join(folder, "bin", output), program],
    ],
    {
      cwd: path.join(modules, module),
      env,
      signal: interrupted,
      onLine: (line) => {
        if (line.startsWith("go: downloading")) downloaded++;
        else compiled++;
      },
    },
    progress,
    () => {
      const counts = [
        downloaded > 0 ? `, ${downloaded} modules downloaded` : "",
        compiled > 0 ? `, ${compiled} packages compiled` : "",
      ];
      return `Building the ${what} with Go${counts.join("")}`;
    },
  );
  if (result.code !== 0) throw new Unavailable(`the build of the ${what} failed:\n${result.tail}`);
}
