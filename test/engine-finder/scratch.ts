import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const made: string[] = [];

/** A temporary folder, removed by {@link removeScratch}. */
export function scratch(): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "engine-finder-")));
  made.push(folder);
  return folder;
}

/** For `afterEach`. */
export function removeScratch(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Writes a file, with the folders above it. */
export function write(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Writes a shell script that can be run. */
export function script(file: string, body: string): void {
  write(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
}
