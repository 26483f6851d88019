import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { bundlePlugin } from "./bundle";

/** Name of the executable, by which the engine finds the plugin. */
const EXECUTABLE = "pulumi-resource-neon-bemi";

/** The platforms that Pulumi asks for, in its words. The bundle is the same for all of them. */
const SYSTEMS = ["linux", "darwin", "windows"] as const;
const PROCESSORS = ["amd64", "arm64"] as const;

/** What of package.json goes into a release. */
interface About {
  readonly version: string;
  readonly license: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

/** What a release consists of. */
export interface Release {
  /** The plugin as a folder, to be named by its path. */
  readonly folder: string;
  /** The plugin to be installed: archives, named as the engine asks a plugin server for them. */
  readonly archives: readonly string[];
}

/**
 * Builds the plugin so that it needs only Node: a folder, and an archive for each platform.
 *
 * @param project - the project's folder
 * @param target - where the release goes; what is there is removed first
 */
export async function release(project: string, target: string): Promise<Release> {
  const about = JSON.parse(readFileSync(path.join(project, "package.json"), "utf8")) as About;
  const folder = path.join(target, EXECUTABLE);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await bundlePlugin(project, folder);
  copyFileSync(path.join(project, EXECUTABLE), path.join(folder, EXECUTABLE));
  write(folder, STARTER_ON_WINDOWS);
  const content = readdirSync(folder);
  write(folder, runtimeFiles(about));

  const archives = SYSTEMS.flatMap((system) =>
    PROCESSORS.map((processor) =>
      path.join(target, `${EXECUTABLE}-v${about.version}-${system}-${processor}.tar.gz`),
    ),
  );
  await Promise.all(archives.map((archive) => pack(folder, content, archive)));
  return { folder, archives };
}

/** Windows starts no file by its first line. */
const STARTER_ON_WINDOWS = { [`${EXECUTABLE}.cmd`]: `@node "%~dp0${EXECUTABLE}" %*\r\n` };

/**
 * What `pulumi package add FOLDER` wants: a file that names the runtime. The runtime then installs what package.json
 * lists, and starts the plugin through the SDK among it. The archives lack both files: with them, installing a plugin
 * would need npm and the registry.
 */
function runtimeFiles({ version, license, peerDependencies }: About): Readonly<Record<string, string>> {
  const about = { name: EXECUTABLE, version, private: true, license, main: "main.js" };
  return {
    "PulumiPlugin.yaml": "runtime: nodejs\n",
    "package.json": `${JSON.stringify({ ...about, dependencies: peerDependencies }, undefined, 2)}\n`,
  };
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
}

/** Every system that Pulumi runs on has `tar`, Windows since 2018. */
async function pack(folder: string, files: readonly string[], archive: string): Promise<void> {
  await promisify(execFile)("tar", ["-czf", archive, "-C", folder, ...files]);
}
