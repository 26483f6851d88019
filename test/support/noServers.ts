import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PostgresCompute } from "../../sandbox/postgres";

/** Stands for the servers of a sandbox without any, for tests of project settings and lists of branches. */
export function noServers(): PostgresCompute {
  const folder = mkdtempSync(join(tmpdir(), "no-servers-"));
  const nothing = (): Promise<void> => Promise.resolve();
  const none = (): never => {
    throw new Error("This sandbox has no servers.");
  };
  return {
    pgVersion: 17,
    folder,
    sslRootCert: join(folder, "ca.pem"),
    createBranch: nothing,
    deleteBranch: nothing,
    start: nothing,
    stop: nothing,
    setWalLevel: () => undefined,
    address: () => ({ host: "localhost:1", port: 1 }),
    isRunning: () => false,
    sql: () => Promise.resolve([]),
    dropConnections: nothing,
    superuserUri: none,
    serverLog: none,
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
