import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { UserError } from "../errors";

/** The user that PostgreSQL runs as where this process is root, which PostgreSQL refuses to run as. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/**
 * `undefined` where we are not root and everything runs as ourselves. Otherwise an existing user without privileges:
 * `initdb` looks its user up in the user database, so an arbitrary number does not do.
 */
export function runAs(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((user) => Number.isInteger(user.uid) && user.uid > 0)
    .sort((a, b) => Number(b.name === "nobody") - Number(a.name === "nobody"));
  // Inside some containers the ids of the user database are not mapped: the first that works is taken.
  const user = users.find(({ uid, gid }) => spawnSync("/bin/sh", ["-c", ":"], { uid, gid }).status === 0);
  if (user === undefined) {
    throw new UserError(
      "PostgreSQL does not run as root, and no other user of /etc/passwd can be used. Run the sandbox as an ordinary user.",
    );
  }
  return { uid: user.uid, gid: user.gid };
}

/** Whether the user that PostgreSQL runs as can reach and read the path: every folder above it counts. */
export function canRead(path: string, user: RunAs | undefined): boolean {
  if (user === undefined) return true;
  return spawnSync("/bin/sh", ["-c", 'test -r "$1"', "sh", path], { ...user, cwd: "/" }).status === 0;
}
