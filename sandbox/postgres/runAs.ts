import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { UserError } from "../errors";

/** The user that runs PostgreSQL if this process is root. PostgreSQL refuses to run as root. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user that runs PostgreSQL: `undefined` for the user of this process, unless that is root. Otherwise an existing
 * user without privileges, because `initdb` looks its user up in the user database.
 *
 * @throws UserError if there is no such user
 */
export function runAs(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((user) => Number.isInteger(user.uid) && user.uid > 0)
    .sort((a, b) => Number(b.name === "nobody") - Number(a.name === "nobody"));
  // In some containers not every id of the user database is mapped, so each is tried.
  const user = users.find(({ uid, gid }) => spawnSync("/bin/sh", ["-c", ":"], { uid, gid }).status === 0);
  if (user === undefined) {
    throw new UserError(
      "PostgreSQL does not run as root, and no other user of /etc/passwd can be used. Run the sandbox as an ordinary user.",
    );
  }
  return { uid: user.uid, gid: user.gid };
}

/** Whether the user that runs PostgreSQL can read the path and enter every folder above it. */
export function canRead(path: string, user: RunAs | undefined): boolean {
  if (user === undefined) return true;
  return spawnSync("/bin/sh", ["-c", 'test -r "$1"', "sh", path], { ...user, cwd: "/" }).status === 0;
}
