import { mkdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import path from "node:path";
import { clearInterval, setInterval } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";

const HEARTBEAT_MS = 2_000;
const STALE_MS = 20_000;

/**
 * Runs `work` while no other process runs under the same name for the same folder. Plain Node, because it is needed
 * before the dependencies are there.
 *
 * The lock is a folder (making one is atomic on every file system) outside the project, since `npm ci` deletes
 * node_modules. Its owner touches it every two seconds; one that has not been touched for twenty is left over from a
 * process that was killed, and is taken away.
 *
 * @template Result
 * @param {string} name what is locked, a file name
 * @param {string} folder the project
 * @param {() => void} onWait called once if another process holds the lock
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function withLock(name, folder, onWait, work) {
  const owner = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  const lock = path.join(tmpdir(), `pulumi-neon-bemi-${owner}-${name}.lock`);
  let told = false;
  while (!take(lock)) {
    if (!told) onWait();
    told = true;
    await sleep(200);
  }
  const taken = statSync(lock).ino;
  // A process that was suspended for long finds that the lock has gone, or is another's by now.
  const isOurs = () => statSync(lock, { throwIfNoEntry: false })?.ino === taken;
  const heartbeat = setInterval(() => {
    const now = new Date();
    if (isOurs()) utimesSync(lock, now, now);
  }, HEARTBEAT_MS);
  const release = () => {
    if (isOurs()) rmSync(lock, { recursive: true, force: true });
  };
  // A signal would end the process without an exit event, and the next run would wait for the lock to become stale.
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
    // Renamed first: of several processes that see the same stale lock, one gets to take it away.
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
