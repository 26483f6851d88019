/**
 * Compiles the project into dist and writes a hash of the compiled sources to dist/sources.sha256, and when they were
 * changed to dist/sources.times. `npm ci` runs this file as `prepare`, and tools/run.mjs runs it whenever dist is missing or
 * older than its sources. It is plain JavaScript, because it runs before anything is compiled.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { exitCode } from "./child.mjs";
import { withLock } from "./lock.mjs";

const require = createRequire(import.meta.url);
const MOST_ATTEMPTS = 3;

/** Whether dist was compiled from the sources as they are now. */
export function isBuilt(project) {
  const compiled = path.join(project, "dist", "provider", "plugin", "freshness.js");
  return existsSync(compiled) && load(compiled).isFresh(project, "all");
}

/**
 * Compiles the project, unless another process did so while this one waited for its turn.
 *
 * @param {string} project the project's folder
 * @param {(line: string) => void} say
 * @returns {Promise<boolean>} false if the sources do not compile; the compiler has printed the reason on stderr
 */
export async function build(project, say) {
  let waited = false;
  const onWait = () => {
    waited = true;
    say("Another process is compiling; waiting for it.");
  };
  return await withLock("build", project, onWait, async () => {
    if (waited && isBuilt(project)) return true;
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const outcome = await compile(project);
      if (outcome !== "changed") return outcome === "built";
      say("The sources changed while they were compiled; compiling again.");
    }
    say("The sources kept changing while they were compiled. Build again when nothing changes them.");
    return false;
  });
}

async function compile(project) {
  const dist = path.join(project, "dist");
  const before = snapshot(project);
  const stamp = path.join(dist, "sources.sha256");
  rmSync(stamp, { force: true });
  // The compiler remembers in dist what it wrote. If its output is gone but the memory is not, it would write nothing.
  if (!existsSync(path.join(dist, "provider", "plugin", "freshness.js")))
    rmSync(dist, { recursive: true, force: true });
  const tsc = require.resolve("typescript/bin/tsc");
  const code = await exitCode(process.execPath, [tsc, "-p", "tsconfig.build.json"], project);
  if (code !== 0) return "failed";
  const freshness = load(path.join(dist, "provider", "plugin", "freshness.js"));
  removeOrphans(project, freshness.ALL_SOURCES);
  copySql(project, freshness.ALL_SOURCES);
  await bundleAll(project);
  const [text, times] = [freshness.stampText(project), freshness.timesText(project)];
  if (snapshot(project) !== before) return "changed";
  writeFileSync(path.join(dist, "sources.times"), times);
  writeFileSync(stamp, text);
  return "built";
}

/** A text that changes whenever a file that may be compiled is written, renamed or removed. */
function snapshot(project) {
  const lines = [
    "tsconfig.json",
    "tsconfig.build.json",
    "index.ts",
    "stackConfig.ts",
    "commands",
    "components",
    "provider",
    "report",
    "sandbox",
    "tools",
    "bench",
  ]
    .flatMap((entry) => files(path.join(project, entry)))
    .map((file) => {
      const found = statSync(file, { throwIfNoEntry: false });
      return `${file} ${found?.ino} ${found?.size} ${found?.ctimeMs}`;
    });
  return lines.join("\n");
}

/** Every file at or below a path, in a fixed order; empty if the path does not exist. */
function files(at) {
  if (!existsSync(at)) return [];
  if (!statSync(at).isDirectory()) return [at];
  return readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Removes the output of deleted sources: the compiler leaves it, and npm would publish it. */
function removeOrphans(project, rooms) {
  for (const room of rooms) {
    for (const file of files(path.join(project, "dist", room))) {
      const source = path
        .relative(path.join(project, "dist"), file)
        .replace(/(\.d\.ts|\.js\.map|\.js)$/, ".ts");
      if (!existsSync(path.join(project, source))) rmSync(file);
    }
  }
}

function copySql(project, rooms) {
  for (const room of rooms) {
    for (const file of files(path.join(project, room)).filter((name) => name.endsWith(".sql"))) {
      const copy = path.join(project, "dist", path.relative(project, file));
      mkdirSync(path.dirname(copy), { recursive: true });
      copyFileSync(file, copy);
    }
  }
}

/**
 * Bundles what Pulumi starts in each command: the program, and the plugin. A process that loads one file instead of
 * hundreds starts in half the time.
 */
async function bundleAll(project) {
  const bundler = path.join(project, "dist", "tools", "release", "bundle.js");
  if (!existsSync(bundler)) return;
  const { bundlePlugin, bundleProgram } = load(bundler);
  await bundlePlugin(project, path.join(project, "dist", "provider", "bundle"));
  await bundleProgram(project, path.join(project, "dist", "program"));
  linkCommand(path.join(project, "dist", "program"));
}

/**
 * Puts `neon-bemi` where npx finds it for the program: with the argument `migrations`, Pulumi runs npx in the program's
 * folder. In a package, npx finds the package's own command too, but by installing the package into its cache: it runs
 * the script `prepare`, which would compile this project while Pulumi runs it.
 */
function linkCommand(program) {
  const folder = path.join(program, "node_modules", ".bin");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  symlinkSync(path.join("..", "..", "..", "..", "neon-bemi"), path.join(folder, "neon-bemi"));
}

/** Loads a compiled module from disk, even if an older version of it is loaded already. */
function load(module) {
  for (const loaded of Object.keys(require.cache)) {
    if (loaded.startsWith(path.dirname(module))) delete require.cache[loaded];
  }
  return require(module);
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === self) {
  const project = path.dirname(path.dirname(self));
  process.exitCode = (await build(project, (line) => console.error(line))) ? 0 : 1;
}
