import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";

const PLUGIN = "neon-bemi";
const EXECUTABLE = `pulumi-resource-${PLUGIN}`;
const FOLDER = path.join("node_modules", "pulumi-neon-bemi");

/**
 * How a project file names the plugin: in an entry of `plugins`, or as a key of `packages`. The project's own name, at the
 * beginning of a line, and keys of the configuration may have the same word in them.
 */
const NAMED = [
  new RegExp(`[ \\t{,"'-]name["']?:\\s*["']?${PLUGIN}["']?\\s*([,}#]|$)`, "m"),
  new RegExp(`^[ \\t]+["']?${PLUGIN}["']?:[ \\t]+\\S`, "m"),
];

let told = false;

/**
 * Warns once, when a program declares its first resource, if nothing tells the engine where the plugin is. The engine's
 * own error says that it found none, but not what to do. It is only a warning, because the engine may know a way to the
 * plugin that is not looked at here.
 */
export function warnWithoutPlugin(): void {
  // Unit tests with mocks have no engine, and need no plugin.
  if (told || pulumi.runtime.getEngine() === undefined) return;
  told = true;
  const advice = missingLines(process.cwd(), process.env);
  // Not through the engine's log: the engine stops at the missing plugin, and drops what it was sent shortly before.
  if (advice !== undefined) console.warn(advice);
}

/** Says that the plugin has been found: this process was started by it. */
export function foundPlugin(): void {
  told = true;
}

/**
 * The lines that a project needs so that the engine finds the plugin.
 *
 * @param cwd the program's folder
 * @returns `undefined` if the project names the plugin, it is installed, or there is no project file to look at
 */
export function missingLines(
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const project = projectFile(cwd);
  if (project === undefined || isKnown(project, env)) return undefined;
  return [
    `Nothing says where the plugin ${PLUGIN} is. Unless Pulumi finds it nevertheless, add these lines to ${project}:`,
    "plugins:",
    "  providers:",
    `    - { name: ${PLUGIN}, path: ${packageFolder(path.dirname(project))} }`,
  ].join("\n");
}

function isKnown(project: string, env: Readonly<Record<string, string | undefined>>): boolean {
  return (
    NAMED.some((named) => named.test(readFileSync(project, "utf8"))) ||
    (env["PULUMI_DEBUG_PROVIDERS"] ?? "").includes(PLUGIN) ||
    (env["PATH"] ?? "").split(path.delimiter).some((folder) => existsSync(path.join(folder, EXECUTABLE))) ||
    isInstalled(path.join(env["PULUMI_HOME"] || path.join(homedir(), ".pulumi"), "plugins"))
  );
}

function isInstalled(plugins: string): boolean {
  return existsSync(plugins) && readdirSync(plugins).some((name) => name.startsWith(`resource-${PLUGIN}-`));
}

/** The project file of the program: as the CLI does, the nearest one from its folder upwards. */
function projectFile(cwd: string): string | undefined {
  return upwards(cwd)
    .flatMap((folder) => ["Pulumi.yaml", "Pulumi.yml"].map((name) => path.join(folder, name)))
    .find((file) => existsSync(file));
}

/** Where the package is installed, as seen from the project: a workspace may have it further up. */
function packageFolder(project: string): string {
  const owner = upwards(project).find((folder) => existsSync(path.join(folder, FOLDER))) ?? project;
  return path.relative(project, path.join(owner, FOLDER)).replaceAll(path.sep, "/");
}

function upwards(folder: string): string[] {
  const parent = path.dirname(folder);
  return parent === folder ? [folder] : [folder, ...upwards(parent)];
}
