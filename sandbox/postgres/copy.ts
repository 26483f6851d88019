import { chown, copyFile, constants, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import type { PostgresVersion } from "../compute";
import type { RunAs } from "./runAs";

/**
 * Folders of a data directory that are copied without their contents. One of them holds the replication slots, because
 * a branch on Neon does not inherit slots.
 */
const EMPTY_IN_COPY = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
  "pg_wal",
]);
const NOT_COPIED = /^(postmaster\.(pid|opts)|pg_internal\.init.*|pgsql_tmp.*|backup_label|tablespace_map)$/;

/** PostgreSQL's functions for a backup in which connections may write. Version 15 has renamed them. */
function backupFunctions(version: PostgresVersion): { readonly start: string; readonly stop: string } {
  return version < 15
    ? { start: "pg_start_backup('branch', true, false)", stop: "pg_stop_backup(false, false)" }
    : { start: "pg_backup_start('branch', true)", stop: "pg_backup_stop(false)" };
}

/**
 * Copies the data directory of a running server with PostgreSQL's low-level backup functions.
 *
 * @param connection of a superuser; it must stay open until the copy is complete
 * @param version of the server
 * @param user the owner of the copied files
 */
export async function copyRunning(
  connection: Client,
  version: PostgresVersion,
  from: string,
  to: string,
  user: RunAs | undefined,
): Promise<void> {
  // A temporary slot keeps the write-ahead log until the copy is complete. It ends with the connection at the latest.
  const slot = `branch_${process.hrtime.bigint()}`;
  await connection.query("SELECT pg_create_physical_replication_slot($1, true, true)", [slot]);
  const { start, stop } = backupFunctions(version);
  await connection.query(`SELECT ${start}`);
  await copyTree(from, to, user, EMPTY_IN_COPY);
  const { rows } = await connection.query<{ labelfile: string }>(`SELECT labelfile FROM ${stop}`);
  await copyTree(join(from, "pg_wal"), join(to, "pg_wal"), user, new Set(["archive_status"]));
  await connection.query("SELECT pg_drop_replication_slot($1)", [slot]);

  const label = join(to, "backup_label");
  await writeFile(label, rows[0]?.labelfile ?? "", { mode: 0o600 });
  if (user !== undefined) await chown(label, user.uid, user.gid);
}

/**
 * Copies a folder. Files that are deleted in the meantime are left out.
 *
 * @param empty names of subfolders that are copied without their contents
 */
async function copyTree(
  from: string,
  to: string,
  user: RunAs | undefined,
  empty: ReadonlySet<string>,
): Promise<void> {
  await mkdir(to, { mode: 0o700, recursive: true });
  if (user !== undefined) await chown(to, user.uid, user.gid);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (NOT_COPIED.test(entry.name)) continue;
    try {
      if (entry.isDirectory() && empty.has(entry.name)) {
        await mkdir(target, { mode: 0o700 });
        if (user !== undefined) await chown(target, user.uid, user.gid);
      } else if (entry.isDirectory()) {
        await copyTree(source, target, user, new Set());
      } else if (entry.isFile()) {
        await copyFile(source, target, constants.COPYFILE_FICLONE);
        if (user !== undefined) await chown(target, user.uid, user.gid);
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
