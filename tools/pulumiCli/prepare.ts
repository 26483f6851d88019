import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { seconds } from "./cache";
import { type ChildOptions, type ChildResult, runChild } from "./child";
import { hasCode, type Progress, Unavailable } from "./pulumiCli";
import { HOST } from "./onPath";
import { isGoUsable, type Pins } from "./versions";

const LINE_MS = 5_000;
const REACHABLE_MS = 5_000;
/** Limit for the download of about 100 MB. */
const INSTALL_MS = 5 * 60_000;
const INSTALL_SCRIPT = "https://get.pulumi.com/install.sh";

/** What {@link install} and {@link buildWithGo} need. */
export interface Preparation {
  readonly pins: Pins;
  /** The folder of the Go modules `cli` and `nodejs-host`. */
  readonly modules: string;
  readonly progress: Progress;
  /** When it aborts, the running program is ended. */
  readonly interrupted: AbortSignal;
}

/**
 * Fills the folder with Pulumi's own installer.
 * @throws Unavailable if get.pulumi.com cannot be reached, or the installer fails or takes too long
 */
export async function install(folder: string, { pins, progress, interrupted }: Preparation): Promise<void> {
  try {
    await fetch(INSTALL_SCRIPT, { method: "HEAD", signal: AbortSignal.timeout(REACHABLE_MS) });
  } catch {
    throw new Unavailable("get.pulumi.com cannot be reached");
  }
  const timeout = AbortSignal.timeout(INSTALL_MS);
  const phase = `Installing the Pulumi CLI ${pins.cli} with Pulumi's installer`;
  try {
    const result = await runWithProgress(
      process.execPath,
      [require.resolve("./installer"), folder, pins.cli],
      { signal: AbortSignal.any([interrupted, timeout]) },
      progress,
      () => phase,
    );
    if (result.code !== 0) throw new Unavailable(`the installer failed: ${lastLine(result)}`);
  } catch (error) {
    if (timeout.aborted && !interrupted.aborted) {
      throw new Unavailable(`the installer did not finish within ${seconds(INSTALL_MS)}`);
    }
    throw error;
  }
}

/**
 * Fills the folder by building the CLI and the host for Node programs from their Go modules. This is for networks that
 * reach package registries only. It takes three minutes on two cores.
 *
 * The host comes from an old release, the last one whose Go module has versions. It runs programs of the pinned SDK.
 * @throws Unavailable if Go is missing or too old, or the build fails
 */
export async function buildWithGo(folder: string, preparation: Preparation): Promise<void> {
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
  const bin = path.join(folder, "bin");
  await mkdir(bin);
  const pulumi = "github.com/pulumi/pulumi";
  await goBuild(
    { ...preparation, what: `Pulumi CLI ${pins.cli} (1 of 2, some 3 minutes)` },
    [
      ...["-tags", "osusergo"],
      ...["-ldflags", `-s -w -X ${pulumi}/sdk/v3/go/common/version.Version=v${pins.cli}`],
      ...["-o", path.join(bin, "pulumi"), `${pulumi}/pkg/v3/cmd/pulumi`],
    ],
    { cwd: path.join(modules, "cli"), env },
  );
  await goBuild(
    { ...preparation, what: "host for Node programs (2 of 2)" },
    [
      ...["-ldflags", `-s -w -X ${pulumi}/sdk/v3/go/common/version.Version=v${pins.nodejsHost}`],
      ...["-o", path.join(bin, HOST), `${pulumi}/sdk/v3/nodejs/cmd/pulumi-language-nodejs`],
    ],
    { cwd: path.join(modules, "nodejs-host"), env },
  );
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

async function goBuild(
  { what, progress, interrupted }: Preparation & { readonly what: string },
  args: readonly string[],
  options: ChildOptions,
): Promise<void> {
  let downloaded = 0;
  let compiled = 0;
  const result = await runWithProgress(
    "go",
    // -v prints each package when its compilation begins: the only progress that Go shows.
    ["build", "-v", "-mod=readonly", ...args],
    {
      ...options,
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

async function runWithProgress(
  command: string,
  args: readonly string[],
  options: ChildOptions,
  progress: Progress,
  phase: () => string,
): Promise<ChildResult> {
  const started = Date.now();
  const tell = () => {
    progress(`${phase()} (${seconds(Date.now() - started)})`);
  };
  tell();
  const ticking = setInterval(tell, LINE_MS);
  try {
    return await runChild(command, args, options);
  } finally {
    clearInterval(ticking);
  }
}

function lastLine({ tail, code }: ChildResult): string {
  return tail.trim().split("\n").at(-1) || `exit code ${String(code)}`;
}
