import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import envPaths from "env-paths";
import { lock } from "proper-lockfile";
import { UserError } from "../../provider/contract/errors";
import { hasCode, type Progress } from "./pulumiCli";
import { HOST, isExecutable } from "./onPath";

/** Environment variable that names the cache folder. Default: `pulumi-neon-bemi` in the user's cache folder. */
const CACHE_VARIABLE = "PULUMI_NEON_BEMI_CACHE";

const UNFINISHED = "unfinished-";
const STALE_MS = 20_000;
const WAIT_LINE_MS = 5_000;

/**
 * The folder that prepared CLIs are kept in. Its last part stays `engine`: under a new name, every machine would
 * prepare its CLI again.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const folder = environment[CACHE_VARIABLE] || envPaths("pulumi-neon-bemi", { suffix: "" }).cache;
  return path.join(path.resolve(folder), "engine");
}

export interface CacheOptions {
  /** The programs without which a prepared folder is not complete. Default: the CLI and its host for Node programs. */
  readonly programs?: readonly string[];
  /** How often to ask whether another process has finished. Default: 500 ms. */
  readonly pollMs?: number;
}

/**
 * The CLIs that earlier runs prepared. Each has its own folder, whose name says which versions it holds. A folder gets
 * its name only when it is complete, so a folder that has its name can be used.
 */
export class CliCache {
  readonly #programs: readonly string[];
  readonly #pollMs: number;

  constructor(
    private readonly folder: string,
    { programs = ["pulumi", HOST], pollMs = 500 }: CacheOptions = {},
  ) {
    this.#programs = programs;
    this.#pollMs = pollMs;
  }

  /**
   * The folder of a prepared CLI; `undefined` if there is none, or one of its programs is missing.
   *
   * @throws UserError if somebody else can put programs into the cache
   */
  find(name: string): string | undefined {
    assertOwn(this.folder);
    const root = path.join(this.folder, name);
    return this.#missingPrograms(root).length === 0 ? root : undefined;
  }

  /**
   * Runs `work` while no other process prepares a CLI. If another process does, waits for it and says so.
   *
   * SIGINT, SIGTERM and SIGHUP abort the signal that `work` receives. `work` must then end its children and throw.
   */
  async exclusively<Result>(
    progress: Progress,
    work: (interrupted: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    await this.#makeFolder();
    const release = await this.#lock(progress);
    const controller = new AbortController();
    const interrupt = () => {
      controller.abort(
        new UserError("Interrupted while the Pulumi CLI was prepared. The next run starts again."),
      );
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
    for (const signal of signals) process.on(signal, interrupt);
    try {
      return await work(controller.signal);
    } finally {
      for (const signal of signals) process.off(signal, interrupt);
      // This fails only if the lock was lost meanwhile (see onCompromised). Then there is nothing to release.
      await release().catch(() => undefined);
    }
  }

  /**
   * Lets `make` fill a temporary folder. The folder gets its name when it is complete; it is removed when `make`
   * throws. Call this inside {@link exclusively}.
   */
  async prepare(name: string, make: (folder: string) => Promise<void>): Promise<string> {
    await this.#removeUnfinished();
    const temporary = await mkdtemp(path.join(this.folder, UNFINISHED));
    try {
      await make(temporary);
      const missing = this.#missingPrograms(temporary);
      if (missing.length > 0) throw new Error(`The prepared Pulumi CLI lacks ${missing.join(", ")}.`);
      const root = path.join(this.folder, name);
      await rm(root, { recursive: true, force: true });
      await rename(temporary, root);
      return root;
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /** Makes a folder whose `bin` links to the given folder, and returns its path. */
  async linkTo(binFolder: string): Promise<string> {
    const name = `link-${createHash("sha256").update(binFolder).digest("hex").slice(0, 16)}`;
    const root = path.join(this.folder, name);
    await mkdir(root, { recursive: true });
    const link = path.join(root, "bin");
    try {
      await symlink(binFolder, link);
    } catch (error) {
      // The folder's name is a hash of the target, so an existing link has the same target.
      if (!hasCode(error, "EEXIST")) throw error;
    }
    return root;
  }

  #missingPrograms(root: string): string[] {
    return this.#programs.filter((file) => !isExecutable(path.join(root, "bin", file)));
  }

  async #makeFolder(): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o755 });
    } catch (error) {
      throw new UserError(
        `The cache folder ${this.folder} cannot be created: ${String(error)}. Set ${CACHE_VARIABLE} to another folder.`,
      );
    }
    assertOwn(this.folder);
  }

  async #lock(progress: Progress): Promise<() => Promise<void>> {
    const started = Date.now();
    let nextLine = 0;
    for (;;) {
      try {
        return await lock(this.folder, {
          lockfilePath: path.join(this.folder, "lock"),
          stale: STALE_MS,
          // If this process was suspended for long, another one may hold the lock by now. Nothing breaks: each works
          // in its own temporary folder, both results are equal, and the last to finish replaces the first.
          onCompromised: () => undefined,
        });
      } catch (error) {
        if (!hasCode(error, "ELOCKED")) throw error;
      }
      const waited = Date.now() - started;
      if (waited >= nextLine) {
        progress(`Waiting for another process that prepares the Pulumi CLI (${seconds(waited)}).`);
        nextLine = waited + WAIT_LINE_MS;
      }
      await sleep(this.#pollMs);
    }
  }

  /** Removes what killed processes left. Nobody is at work on these folders: this process holds the lock. */
  async #removeUnfinished(): Promise<void> {
    for (const entry of await readdir(this.folder)) {
      if (entry.startsWith(UNFINISHED))
        await rm(path.join(this.folder, entry), { recursive: true, force: true });
    }
  }
}

/** Programs from the cache are run, so nobody but this user and root may put any there. Windows has no owners to check. */
function assertOwn(folder: string): void {
  const user = process.getuid?.();
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (user === undefined || found === undefined) return;
  if (found.isDirectory() && [user, 0].includes(found.uid) && (found.mode & 0o002) === 0) return;
  throw new UserError(
    `The cache folder ${folder} is not used, because it belongs to another user, every user may write to it, or it is a link. Set ${CACHE_VARIABLE} to a folder of your own.`,
  );
}

/** A duration in whole seconds, as a progress line shows it. */
export function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}
