import { mkdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import path from "node:path";
import { clearInterval, setInterval } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";

const HEARTBEAT_MS = 2_000;
const STALE_MS = 20_000;

/**
 * Runs `work` while no other process holds the lock of the same name for the same project. This is plain JavaScript,
 * because it is needed before the dependencies are installed.
 *
 * The lock is a folder, because creating a folder is atomic on every file system. It is in the project's folder: in the
 * folder for temporary files, every user of the machine could hold it. It is not in node_modules, which `npm ci` deletes.
 * Its owner touches it every two seconds. A lock that was not touched for twenty seconds
 * was left by a killed process, and is removed.
 *
 * @template Result
 * @param {string} name what is locked; becomes part of a file name
 * @param {string} folder the project's folder
 * @param {() => void} onWait called once, if another process holds the lock
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function withLock(name, folder, onWait, work) {
  const lock = path.join(folder, `.${name}.lock`);
  let told = false;
  while (!take(lock)) {
    if (!told) onWait();
    told = true;
    await sleep(200);
  }
  const taken = statSync(lock).ino;
  // If this process was suspended for long, the lock may be gone or belong to another process by now.
  const isHeld = () => statSync(lock, { throwIfNoEntry: false })?.ino === taken;
  const heartbeat = setInterval(() => {
    const now = new Date();
    if (isHeld()) utimesSync(lock, now, now);
  }, HEARTBEAT_MS);
  const release = () => {
    if (isHeld()) rmSync(lock, { recursive: true, force: true });
  };
  // A signal would end the process without an exit event, and the next run would wait until the lock counts as stale.
  const interrupt = () => process.exit(130);
  const terminate = () => process.exit(143);
  process.once("exit", release).once("SIGINT", interrupt).once("SIGTERM", terminate);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    process.off("exit", release).off("SIGINT", interrupt).off("SIGTERM", terminate);
    release();
  }
}

function take(lock) {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  if (age(lock) > STALE_MS) {
    // If several processes see the same stale lock, only one of them can rename it.
    const grave = `${lock}.${process.pid}`;
    try {
      renameSync(lock, grave);
      rmSync(grave, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  return false;
}

function age(lock) {
  const found = statSync(lock, { throwIfNoEntry: false });
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}
