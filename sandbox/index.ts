import { join } from "node:path";
import { loadSql, readSql } from "./loadSql";
import { startEmulator, type Emulator } from "./neon";
import { createCompute } from "./postgres";
import { repositoryFile } from "./repository";
import type { Sandbox, SandboxOptions } from "./sandbox";

export type { Sandbox, SandboxInfo, SandboxOptions } from "./sandbox";

/**
 * Starts PostgreSQL, the emulator of Neon's API and a front door for SQL connections, with one project, one branch and
 * one database. Processes and files are removed when this process ends, even if it is killed.
 *
 * @throws UserError if an SQL file cannot be read or run
 * @throws FaultScriptError if the fault script is not valid
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { postgres = 17, profile = "neon", settings, faults, progress = () => undefined } = options;
  const files = await Promise.all((options.sql ?? [repositoryFile("sandbox", "sample.sql")]).map(readSql));
  let emulator: Emulator | undefined;
  const compute = await createCompute({
    pgVersion: postgres,
    profile,
    settings,
    progress,
    admits: (branchId, address) => emulator?.admits(branchId, address) ?? true,
    refusal: (branchId) => emulator?.refusal(branchId),
    refuseLogin: (_, role) => emulator?.refuseLogin(role),
    roleFault: (branchId) => emulator?.roleFault(branchId),
  });
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await emulator?.close();
    await compute.close();
  };
  try {
    progress(`Starting PostgreSQL ${postgres} ...`);
    const requestLog = join(compute.folder, "requests.jsonl");
    emulator = await startEmulator({ compute, faults, requestLog });
    for (const file of files) {
      progress(`Loading ${file.path} ...`);
      await loadSql(emulator.ownerUri(), compute.sslRootCert, file);
    }
    const { apiUrl, apiKey, projectId, branchId, branchName, endpointId, database } = emulator;
    return {
      info: {
        apiUrl,
        apiKey,
        projectId,
        branchId,
        branchName,
        endpointId,
        database,
        ownerUri: emulator.ownerUri(),
        superuserUri: compute.superuserUri(branchId, database),
        sslRootCert: compute.sslRootCert,
        requestLog,
      },
      superuserUri: (id) => compute.superuserUri(id, database),
      stop: () => (stopped ??= stop()),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
