import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { UserError } from "../contract/errors";

/** What is compiled and run in each command of Pulumi: the program of this repository, and the plugin. */
const COMMAND_SOURCES = ["components", "index.ts", "provider", "stackConfig.ts"] as const;

/** The rooms and files that are compiled into dist. */
export const ALL_SOURCES = [
  ...COMMAND_SOURCES,
  "commands",
  "report",
  "sandbox",
  "tools",
  "bench",
  "test/support",
] as const;

/** The file in which the build notes which sources it compiled, relative to the project. Each line: a hash and what it covers. */
const STAMP = path.join("dist", "sources.sha256");

/**
 * The file in which the build notes size and time of change of each source of commands and of the folders, relative to the
 * project. No program can set this time, so where nothing has changed, the contents have not. Each line: bytes, milliseconds
 * since 1970, and the path.
 */
const TIMES = path.join("dist", "sources.times");

/** What tells the compiler how to compile. */
const SETTINGS = ["tsconfig.json", "tsconfig.build.json"] as const;

/** Whether a file goes into dist, compiled or copied. */
function isSource(file: string): boolean {
  return (file.endsWith(".ts") && !file.endsWith(".d.ts")) || file.endsWith(".sql");
}

/** SHA-256 over the names and contents of the sources and of the compiler's settings. */
function hashSources(project: string, entries: readonly string[]): string {
  const hash = createHash("sha256");
  const sources = entries.flatMap((entry) => sourcesIn(project, entry)).sort();
  for (const file of [...SETTINGS, ...sources]) {
    const content = readFileSync(path.join(project, file));
    // With the length, moving text from the end of one file to the start of the next changes the hash.
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

/** The sources at or below a path. */
function sourcesIn(project: string, entry: string): string[] {
  if (!existsSync(path.join(project, entry))) return [];
  if (isSource(entry)) return [entry];
  // With their types, because a look at each file would take longer.
  return readdirSync(path.join(project, entry), { withFileTypes: true }).flatMap((found) => {
    const below = path.join(entry, found.name);
    if (found.isDirectory()) return sourcesIn(project, below);
    return isSource(below) ? [below] : [];
  });
}

/** The text of {@link STAMP} for the sources as they are now. */
export function stampText(project: string): string {
  return `${hashSources(project, COMMAND_SOURCES)}  command\n${hashSources(project, ALL_SOURCES)}  all\n`;
}

/** The text of {@link TIMES} for the sources as they are now. */
export function timesText(project: string): string {
  const sources = COMMAND_SOURCES.flatMap((entry) => sourcesIn(project, entry));
  const noted = new Set<string>([...SETTINGS, ...sources, ...sources.flatMap(foldersOf)]);
  return [...noted].map((at) => `${timeOf(project, at)} ${at}`).join("\n");
}

function foldersOf(file: string): string[] {
  const folder = path.dirname(file);
  return folder === "." ? [] : [folder, ...foldersOf(folder)];
}

function timeOf(project: string, at: string): string {
  const found = statSync(`${project}/${at}`, { throwIfNoEntry: false });
  return `${found?.size} ${found?.ctimeMs}`;
}

/** Whether no source of commands was written, added or removed since the build. */
function isUntouched(project: string): boolean {
  const times = path.join(project, TIMES);
  if (!existsSync(times)) return false;
  return readFileSync(times, "utf8")
    .split("\n")
    .every((line) => {
      const end = line.indexOf(" ", line.indexOf(" ") + 1);
      return timeOf(project, line.slice(end + 1)) === line.slice(0, end);
    });
}

/** Whether dist was compiled from the sources as they are now. */
export function isFresh(project: string, what: "command" | "all"): boolean {
  const stamp = path.join(project, STAMP);
  if (!existsSync(stamp)) return false;
  // Several times as quick as reading the sources, at the start of every plugin process.
  if (what === "command" && isUntouched(project)) return true;
  const entries = what === "command" ? COMMAND_SOURCES : ALL_SOURCES;
  return readFileSync(stamp, "utf8")
    .split("\n")
    .includes(`${hashSources(project, entries)}  ${what}`);
}

/**
 * Refuses to run compiled code in a checkout whose sources have changed since the build. The engine runs dist, so an
 * edit that was not built would otherwise be ignored in silence; refresh and destroy do not even run the program. An
 * installed package has no sources beside it and always passes. Takes a few milliseconds.
 *
 * @param folder the folder of the compiled provider
 * @throws UserError when the sources have changed
 */
export function assertFresh(folder: string = path.dirname(__dirname)): void {
  const dist = path.dirname(folder);
  const project = path.dirname(dist);
  if (path.basename(dist) !== "dist" || !existsSync(path.join(project, "provider", "plugin", "freshness.ts")))
    return;
  if (isFresh(project, "command")) return;
  throw new UserError(
    "The provider's sources changed since they were built. Run `npm run build`, then repeat the command.",
  );
}
