import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { UserError } from "../contract/errors";

/** The rooms that npm publishes. Their compiled code runs in a stack's program and in the plugin process. */
const PACKAGE_ROOMS = ["components", "provider"] as const;

/** The rooms that are compiled into dist. */
export const ALL_ROOMS = [
  ...PACKAGE_ROOMS,
  "commands",
  "report",
  "sandbox",
  "tools",
  "bench",
  "test/support",
] as const;

/** The file in which the build notes which sources it compiled, relative to the project. Each line: a hash and what it covers. */
const STAMP = path.join("dist", "sources.sha256");

/** Whether a file of a room goes into dist, compiled or copied. */
function isSource(file: string): boolean {
  return (file.endsWith(".ts") && !file.endsWith(".d.ts")) || file.endsWith(".sql");
}

/** SHA-256 over the names and contents of the rooms' sources and of the compiler's settings. */
function hashSources(project: string, rooms: readonly string[]): string {
  const hash = createHash("sha256");
  const settings = ["tsconfig.json", "tsconfig.build.json"];
  const sources = rooms.flatMap((room) => sourcesIn(project, room)).sort();
  for (const file of [...settings, ...sources]) {
    const content = readFileSync(path.join(project, file));
    // With the length, moving text from the end of one file to the start of the next changes the hash.
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function sourcesIn(project: string, folder: string): string[] {
  if (!existsSync(path.join(project, folder))) return [];
  return readdirSync(path.join(project, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return sourcesIn(project, file);
    return isSource(file) ? [file] : [];
  });
}

/** The text of {@link STAMP} for the sources as they are now. */
export function stampText(project: string): string {
  return `${hashSources(project, PACKAGE_ROOMS)}  package\n${hashSources(project, ALL_ROOMS)}  all\n`;
}

/** Whether dist was compiled from the sources as they are now. */
export function isFresh(project: string, what: "package" | "all"): boolean {
  const rooms = what === "package" ? PACKAGE_ROOMS : ALL_ROOMS;
  const stamp = path.join(project, STAMP);
  if (!existsSync(stamp)) return false;
  return readFileSync(stamp, "utf8")
    .split("\n")
    .includes(`${hashSources(project, rooms)}  ${what}`);
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
  if (isFresh(project, "package")) return;
  throw new UserError(
    "The provider's sources changed since they were built. Run `npm run build`, then repeat the command.",
  );
}
