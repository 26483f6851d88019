import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryFile } from "../repository";
import { UserError } from "../errors";
import { canRead, runAs, type RunAs } from "./runAs";

/**
 * The one temporary folder of a sandbox and the processes that work in it. A watchdog process ends the processes and
 * removes the folder when this process is gone, even if it was killed.
 */
export interface Workspace {
  readonly folder: string;
  readonly user: RunAs | undefined;
  /** Starts a process that does not outlive this one. It runs in a session of its own, away from the terminal's Ctrl-C. */
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Removes the folder. The processes must have ended. Safe to call twice. */
  remove(): Promise<void>;
}

export async function openWorkspace(): Promise<Workspace> {
  const user = runAs();
  const folder = await temporaryFolder(user);
  const watchdog = spawn(process.execPath, [repositoryFile("sandbox", "postgres", "watchdog.mjs"), folder], {
    detached: true,
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  const { stdin } = watchdog;
  // A watchdog that somebody killed must not end us; closing still cleans up.
  stdin.on("error", () => undefined);
  const ended = once(watchdog, "exit");
  await once(watchdog, "spawn");
  watchdog.unref();

  return {
    folder,
    user,
    spawn(command, args, options) {
      const child = spawn(command, args, { ...options, detached: true });
      const { pid } = child;
      if (pid !== undefined) {
        stdin.write(`+${pid}\n`);
        child.once("exit", () => stdin.write(`-${pid}\n`));
      }
      return child;
    },
    async remove() {
      stdin.end();
      watchdog.ref();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A new folder under the system's temporary folder, or under `/tmp` where PostgreSQL's user cannot enter that one. */
async function temporaryFolder(user: RunAs | undefined): Promise<string> {
  for (const parent of [tmpdir(), "/tmp", "/var/tmp"]) {
    const folder = await mkdtemp(join(parent, "neon-bemi-"));
    if (user !== undefined) await chown(folder, user.uid, user.gid);
    if (canRead(folder, user)) return folder;
    await rm(folder, { recursive: true });
  }
  throw new UserError(
    `PostgreSQL runs as user ${String(user?.uid)}, which cannot enter ${tmpdir()}, /tmp or /var/tmp. Set TMPDIR to a folder that every user can enter.`,
  );
}
