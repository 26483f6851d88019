import { chmod, copyFile } from "node:fs/promises";
import path from "node:path";
import { cacheFolder, CliCache } from "./cache";
import { runChild } from "./child";
import { buildPrograms, type Preparation } from "./go";
import { MODULES } from "./project";
import { hasCode, Unavailable, type Progress } from "./pulumiCli";
import { lastLine, runWithProgress } from "./runWithProgress";
import { readPins, type Pins } from "./versions";

/** What the tests need to run programs in another language. An installed CLI brings the hosts; one built with Go has none. */
export interface Language {
  /** Folder that must be first on PATH: it has the language's host. */
  readonly bin: string;
  /** Folder of the Python packages, for PYTHONPATH. Python only. */
  readonly packages?: string;
}

const NODEJS_HOST = "pulumi-language-nodejs";
const PYTHON_HOST = "pulumi-language-python";
/** The script by which the host runs a program. */
const PYTHON_RUNNER = "pulumi-language-python-exec";
/** Generates the SDK of a package, as `pulumi package add` does. */
export const PYTHON_SDK = "pythonsdk";

/**
 * Returns a host for Node programs that can only print the program of an import, see `modules/cli/nodejsprinter`. The
 * first call builds it with Go, from modules that the CLI needs too.
 * @throws Unavailable with the reason why it cannot be built
 */
export function ensureNodejsPrinter({ progress }: { readonly progress: Progress }): Promise<Language> {
  const { cli } = readPins(MODULES);
  return prepared(`nodejs-printer-${cli}`, [NODEJS_HOST], progress, async (folder, preparation) => {
    await buildPrograms(folder, preparation, [
      { what: "printer of Node programs", module: "cli", program: "./nodejsprinter", output: NODEJS_HOST },
    ]);
  });
}

/**
 * Returns the host for YAML programs. The first call builds it with Go, which takes a minute or two.
 * @throws Unavailable with the reason why it cannot be built
 */
export function ensureYaml({ progress }: { readonly progress: Progress }): Promise<Language> {
  const { yamlHost } = readPins(MODULES);
  return prepared(`yaml-${yamlHost}`, ["pulumi-language-yaml"], progress, async (folder, preparation) => {
    await buildPrograms(folder, preparation, [
      {
        what: `host for YAML programs ${yamlHost}`,
        module: "yaml-host",
        program: "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
        output: "pulumi-language-yaml",
        version: ["github.com/pulumi/pulumi-yaml/pkg/version.Version", `v${yamlHost}`],
        args: ["-tags", "osusergo"],
      },
    ]);
  });
}

/**
 * Returns the host for Python programs, with Pulumi's SDK. The first call builds the host with Go, and installs the SDK
 * with pip.
 * @throws Unavailable with the reason why it cannot be prepared
 */
export async function ensurePython({ progress }: { readonly progress: Progress }): Promise<Language> {
  const pins = readPins(MODULES);
  const programs = [PYTHON_HOST, PYTHON_RUNNER, PYTHON_SDK];
  const name = `python-${pins.pythonHost}-sdk-${pins.cli}`;
  const language = await prepared(name, programs, progress, async (folder, preparation) => {
    await buildPrograms(folder, preparation, [
      {
        what: "host for Python programs (1 of 2)",
        module: "python-host",
        program: "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
        output: PYTHON_HOST,
      },
      {
        what: "generator of Python SDKs (2 of 2)",
        module: "cli",
        program: "./pythonsdk",
        output: PYTHON_SDK,
      },
    ]);
    await copyRunner(path.join(folder, "bin", PYTHON_RUNNER), preparation);
    await installPackages(packagesOf(folder), pins, preparation);
  });
  return { ...language, packages: packagesOf(path.dirname(language.bin)) };
}

function packagesOf(root: string): string {
  return path.join(root, "packages");
}

async function prepared(
  name: string,
  programs: readonly string[],
  progress: Progress,
  make: (folder: string, preparation: Preparation) => Promise<void>,
): Promise<Language> {
  const cache = new CliCache(cacheFolder(process.env), { programs });
  const folder = `${name}-${process.platform}-${process.arch}`;
  const root =
    cache.find(folder) ??
    (await cache.exclusively(
      progress,
      async (interrupted) =>
        // While this process waited for its turn, another one may have prepared it.
        cache.find(folder) ??
        (await cache.prepare(folder, (temporary) =>
          make(temporary, { pins: readPins(MODULES), modules: MODULES, progress, interrupted }),
        )),
    ));
  return { bin: path.join(root, "bin") };
}

/** The script is no Go program: it is among the sources of the SDK's Go module, which the generator has downloaded. */
async function copyRunner(target: string, { modules, interrupted }: Preparation): Promise<void> {
  const result = await runChild(
    "go",
    ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3"],
    {
      cwd: path.join(modules, "cli"),
      env: { ...process.env, GOWORK: "off", GOTOOLCHAIN: "local" },
      signal: interrupted,
    },
  );
  if (result.code !== 0) throw new Unavailable(`the SDK's Go module is not found: ${lastLine(result)}`);
  await copyFile(path.join(result.stdout.trim(), "python", "cmd", PYTHON_RUNNER), target);
  await chmod(target, 0o755);
}

async function installPackages(
  target: string,
  pins: Pins,
  { modules, progress, interrupted }: Preparation,
): Promise<void> {
  const requirements = path.join(modules, "python-host", "requirements.txt");
  const options = ["--disable-pip-version-check", "--no-input", "--retries", "1"];
  try {
    const result = await runWithProgress(
      "python3",
      ["-m", "pip", "install", ...options, "--target", target, "--requirement", requirements],
      { signal: interrupted },
      progress,
      () => `Installing Pulumi's Python SDK ${pins.cli} with pip`,
    );
    if (result.code !== 0) throw new Unavailable(`pip failed: ${lastLine(result)}`);
  } catch (error) {
    if (hasCode(error, "ENOENT")) throw new Unavailable("there is no `python3` on PATH");
    throw error;
  }
}
