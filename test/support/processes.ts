import { readdirSync, readFileSync } from "node:fs";

/** A process that is running. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Every process that is running, from Linux's /proc. */
function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8")) ?? [];
        if (state === "Z") return [];
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        return [{ pid: Number(name), parent: Number(parent), command }];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
}

/** The process, and all that it and its children have started, as long as they run. */
export function processTree(root: number): Process[] {
  const all = processes();
  const below = (pid: number): Process[] =>
    all.filter(({ parent }) => parent === pid).flatMap((each) => [each, ...below(each.pid)]);
  return [...all.filter(({ pid }) => pid === root), ...below(root)];
}

/** Whether one of the processes is still running. */
export function anyRuns(some: readonly Process[]): boolean {
  const now = processes();
  return some.some(({ pid, command }) => now.some((each) => each.pid === pid && each.command === command));
}

/** Kills those of the processes that are still running. */
export function end(some: readonly Process[]): void {
  for (const each of some) if (anyRuns([each])) process.kill(each.pid, "SIGKILL");
}

/** Kills a process with all that it and its children have started. */
export function endTree(root: number | undefined): void {
  if (root !== undefined) end(processTree(root));
}
