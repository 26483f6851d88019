import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const made: string[] = [];

/** Makes a temporary folder, which {@link removeScratch} removes. */
export function scratch(): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "pulumi-cli-")));
  made.push(folder);
  return folder;
}

/** Removes every folder that {@link scratch} made. To be called in `afterEach` or `afterAll`. */
export function removeScratch(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Writes a file, and makes the folders above it. */
export function write(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Writes an executable shell script. */
export function script(file: string, body: string): void {
  write(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
}
