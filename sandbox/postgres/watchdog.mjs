// Removes what a sandbox leaves behind, however its process ends. Standard input has a line "+PID" for each process that
// the sandbox starts, and "-PID" when that process has ended. Standard input closes when the sandbox ends. Then this
// script ends the remaining processes, and removes the folder that is its argument.
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const folder = process.argv[2];
const guarded = new Set();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith("+")) guarded.add(pid);
  else guarded.delete(pid);
}

/** Sends a signal; signal 0 sends nothing. Returns whether the process still runs. */
function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    return false;
  }
  return !isZombie(pid);
}

/**
 * Whether the process has ended and its new parent has not noticed yet. Without /proc this is unknown, and the script
 * waits a little longer.
 */
function isZombie(pid) {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

// At SIGQUIT, PostgreSQL ends at once with all of its child processes.
let left = [...guarded].filter((pid) => send(pid, "SIGQUIT"));
for (let waited = 0; left.length > 0 && waited < 5000; waited += 50) {
  await sleep(50);
  left = left.filter((pid) => send(pid, 0));
}
for (const pid of left) send(pid, "SIGKILL");

await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
