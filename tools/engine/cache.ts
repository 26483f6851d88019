import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import envPaths from "env-paths";
import { lock } from "proper-lockfile";
import { UserError } from "../../provider/contract/errors";
import { hasCode, type Progress } from "./engine";
import { HOST, isExecutable, SHIM } from "./onPath";

/** Environment variable that names another folder for the engines than the user's cache folder. */
export const CACHE_VARIABLE = "PULUMI_NEON_BEMI_CACHE";

const UNFINISHED = "unfinished-";
const STALE_MS = 20_000;
const WAIT_LINE_MS = 5_000;

/** Where engines are kept, unless the user says otherwise. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const folder = environment[CACHE_VARIABLE] || envPaths("pulumi-neon-bemi", { suffix: "" }).cache;
  return path.join(path.resolve(folder), "engine");
}

/**
 * The engines that earlier runs prepared. Each has a folder of its own, named by what it is made of; a folder gets
 * its name only when it is complete, so one that is there can be used.
 */
export class EngineCache {
  constructor(
    private readonly folder: string,
    private readonly pollMs = 500,
  ) {}

  /** The folder of a prepared engine. */
  find(name: string): string | undefined {
    const root = path.join(this.folder, name);
    return isComplete(root) ? root : undefined;
  }

  /**
   * Runs `work` while no other process prepares an engine; waits for one that does, and says so.
   *
   * SIGINT, SIGTERM and SIGHUP abort the signal that `work` is given: it has to end its children and throw.
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
        new UserError("Interrupted while the Pulumi CLI was prepared; the next run starts over."),
      );
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
    for (const signal of signals) process.on(signal, interrupt);
    try {
      return await work(controller.signal);
    } finally {
      for (const signal of signals) process.off(signal, interrupt);
      // Fails only if the lock was lost meanwhile (see onCompromised); then there is nothing to release.
      await release().catch(() => undefined);
    }
  }

  /**
   * Lets `make` fill a temporary folder, which gets its name when it is complete and is removed when `make` throws.
   * To be called inside {@link exclusively}.
   */
  async prepare(name: string, make: (folder: string) => Promise<void>): Promise<string> {
    await this.#removeUnfinished();
    const temporary = await mkdtemp(path.join(this.folder, UNFINISHED));
    try {
      await make(temporary);
      const missing = ["pulumi", HOST, SHIM].filter(
        (file) => !isExecutable(path.join(temporary, "bin", file)),
      );
      if (missing.length > 0) throw new Error(`The prepared Pulumi CLI lacks ${missing.join(", ")}.`);
      const root = path.join(this.folder, name);
      await rm(root, { recursive: true, force: true });
      await rename(temporary, root);
      return root;
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /** A folder whose `bin` is the given folder, wherever that is. */
  async linkTo(binFolder: string): Promise<string> {
    const name = `link-${createHash("sha256").update(binFolder).digest("hex").slice(0, 16)}`;
    const root = path.join(this.folder, name);
    await mkdir(root, { recursive: true });
    const link = path.join(root, "bin");
    try {
      await symlink(binFolder, link);
    } catch (error) {
      // Its name says where it leads: one that is there leads there.
      if (!hasCode(error, "EEXIST")) throw error;
    }
    return root;
  }

  async #makeFolder(): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true });
    } catch (error) {
      throw new UserError(
        `The cache folder ${this.folder} cannot be made: ${String(error)}. Set ${CACHE_VARIABLE} to a folder that can.`,
      );
    }
  }

  async #lock(progress: Progress): Promise<() => Promise<void>> {
    const started = Date.now();
    let nextLine = 0;
    for (;;) {
      try {
        return await lock(this.folder, {
          lockfilePath: path.join(this.folder, "lock"),
          stale: STALE_MS,
          // After a suspension another process may have taken the lock: both then work in temporary folders of
          // their own, and the one that ends last replaces the other's equal result.
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
      await sleep(this.pollMs);
    }
  }

  /** Removes what killed processes left; only the owner of the lock has an unfinished folder of its own. */
  async #removeUnfinished(): Promise<void> {
    for (const entry of await readdir(this.folder)) {
      if (entry.startsWith(UNFINISHED))
        await rm(path.join(this.folder, entry), { recursive: true, force: true });
    }
  }
}

function isComplete(root: string): boolean {
  return ["pulumi", HOST, SHIM].every((file) => isExecutable(path.join(root, "bin", file)));
}

/** A duration as a progress line shows it. */
export function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}
