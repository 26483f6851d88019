import { seconds } from "./cache";
import { buildPrograms, type Preparation } from "./go";
import { Unavailable } from "./pulumiCli";
import { HOST } from "./onPath";
import { lastLine, runWithProgress } from "./runWithProgress";

const REACHABLE_MS = 5_000;
/** Limit for the download of about 100 MB. */
const INSTALL_MS = 5 * 60_000;
const INSTALL_SCRIPT = "https://get.pulumi.com/install.sh";
const PULUMI = "github.com/pulumi/pulumi";

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
  const { pins } = preparation;
  const version = `${PULUMI}/sdk/v3/go/common/version.Version`;
  await buildPrograms(folder, preparation, [
    {
      what: `Pulumi CLI ${pins.cli} (1 of 2, some 3 minutes)`,
      module: "cli",
      program: `${PULUMI}/pkg/v3/cmd/pulumi`,
      output: "pulumi",
      version: [version, `v${pins.cli}`],
      args: ["-tags", "osusergo"],
    },
    {
      what: "host for Node programs (2 of 2)",
      module: "nodejs-host",
      program: `${PULUMI}/sdk/v3/nodejs/cmd/pulumi-language-nodejs`,
      output: HOST,
      version: [version, `v${pins.nodejsHost}`],
    },
  ]);
}
