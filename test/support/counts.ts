import { readFileSync } from "node:fs";
import path from "node:path";
import type { SandboxInfo } from "../../sandbox/sandbox";

/** The logins and API requests that a sandbox has seen. */
export interface Counts {
  /** Number of logins by role. */
  readonly logins: Readonly<Record<string, number>>;
  /** Requests, e.g. `GET /projects/cool-sun-123456`, without those that poll operations. */
  readonly requests: readonly string[];
}

interface LoggedRequest {
  readonly method: string;
  readonly path: string;
}

/** Counts the logins and API requests while `work` runs. */
export async function counting(sandbox: SandboxInfo, work: () => Promise<unknown>): Promise<Counts> {
  const log = path.join(path.dirname(sandbox.requestLog), sandbox.branchId, "server.log");
  const loginsBefore = linesOf(log).length;
  const requestsBefore = linesOf(sandbox.requestLog).length;
  await work();
  const logins: Record<string, number> = {};
  for (const line of linesOf(log).slice(loginsBefore)) {
    const user = /connection authorized: user=(\S+)/.exec(line)?.[1];
    if (user !== undefined) logins[user] = (logins[user] ?? 0) + 1;
  }
  const requests = linesOf(sandbox.requestLog)
    .slice(requestsBefore)
    .map((line) => JSON.parse(line) as LoggedRequest)
    .filter((request) => !request.path.includes("/operations"))
    .map((request) => `${request.method} ${request.path}`);
  return { logins, requests };
}

function linesOf(file: string): string[] {
  return readFileSync(file, "utf8").trimEnd().split("\n");
}
