import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const INTERVAL_MS = 500;
/** How far up npm is looked for. Between npm and this process there are at most a shell and `tools/run.mjs`. */
const MOST_LEVELS = 4;

interface Link {
  readonly pid: number;
  readonly parent: number;
}

/**
 * Resolves when the process that started this one has ended. That is its parent. If npm is among its ancestors, it is
 * any process from the parent up to npm, because a killed npm does not end the shell between the two. The shell in
 * which npm runs may end: that is how a command is left running in the background.
 */
export function whenOrphaned(): Promise<void> {
  const links = chain();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (links.every(({ pid, parent }) => look(pid)?.parent === parent)) return;
      clearInterval(timer);
      resolve();
    }, INTERVAL_MS);
    timer.unref();
  });
}

function chain(): Link[] {
  const links: Link[] = [];
  for (let pid = process.pid; links.length < MOST_LEVELS;) {
    const parent = look(pid)?.parent;
    if (parent === undefined || parent <= 1) break;
    links.push({ pid, parent });
    // The title of npm's process is "npm run sandbox".
    if (/^npm\b|npm-cli\.js/.test(look(parent)?.command ?? "")) return links;
    pid = parent;
  }
  return links.slice(0, 1);
}

function look(pid: number): { readonly parent: number; readonly command: string } | undefined {
  if (process.platform !== "linux") {
    const { stdout } = spawnSync("ps", ["-o", "ppid=,command=", "-p", String(pid)], { encoding: "utf8" });
    const found = /^\s*(\d+)\s+(.*)/.exec(stdout);
    return found?.[1] === undefined ? undefined : { parent: Number(found[1]), command: found[2] ?? "" };
  }
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return { parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), command };
  } catch {
    return undefined;
  }
}
