import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryFile } from "../repository";
import { UserError } from "../errors";
import { canRead, runAs, type RunAs } from "./runAs";

/**
 * The temporary folder of a sandbox, and the processes that work in it. When this process ends, even if it is killed, a
 * watchdog process ends those processes and removes the folder.
 */
export interface Workspace {
  readonly folder: string;
  /** The user that runs PostgreSQL; `undefined` for the user of this process. */
  readonly user: RunAs | undefined;
  /**
   * Starts a process that ends with this one at the latest. It runs in its own session, so that Ctrl-C in the terminal
   * does not reach it.
   */
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Removes the folder. The processes must have ended before. May be called twice. */
  remove(): Promise<void>;
}

/** @throws UserError if PostgreSQL cannot run on this machine */
export async function openWorkspace(): Promise<Workspace> {
  const user = runAs();
  const folder = await temporaryFolder(user);
  const watchdog = spawn(process.execPath, [repositoryFile("sandbox", "postgres", "watchdog.mjs"), folder], {
    detached: true,
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  const { stdin } = watchdog;
  // If somebody kills the watchdog, this process goes on, and removes the folder itself at the end.
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

/**
 * A new folder in the system's temporary folder, or in `/tmp` if the user that runs PostgreSQL cannot enter the former.
 */
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
