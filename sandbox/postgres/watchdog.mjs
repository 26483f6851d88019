// Outlives the process that started it, however that ends, to leave nothing behind: reads "+PID" and "-PID" lines
// (processes to end, and those that have ended by themselves) from its standard input until that closes, then ends
// them and removes the folder given as argument.
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

/** Whether the process got the signal, or with signal 0: whether it is still there. */
function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    return false;
  }
  return !isZombie(pid);
}

/** An ended process whose new parent has not noticed yet. Where there is no /proc, we wait a little longer. */
function isZombie(pid) {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

// To PostgreSQL, SIGQUIT means: end at once, with all child processes.
let left = [...guarded].filter((pid) => send(pid, "SIGQUIT"));
for (let waited = 0; left.length > 0 && waited < 5000; waited += 50) {
  await sleep(50);
  left = left.filter((pid) => send(pid, 0));
}
for (const pid of left) send(pid, "SIGKILL");

await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
