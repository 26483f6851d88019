import { createNeonApi } from "../../provider/neon";
import type { SandboxInfo } from "../../sandbox";
import { allowListFacts, catalogFacts, type Fact } from "./catalogs";
import { withClient } from "./client";

/** A new client for each call, because a client caches what it has read. */
export function neon({ apiUrl, apiKey }: SandboxInfo): ReturnType<typeof createNeonApi> {
  return createNeonApi({ baseUrl: apiUrl, apiKey, log: () => undefined });
}

/** Puts one address on the IP Allow list of the sandbox's project, if the list is empty. */
export async function restrict(sandbox: SandboxInfo, address: string): Promise<void> {
  const list = { ips: [address], protected_branches_only: false };
  await neon(sandbox).updateSettings(sandbox.projectId, ({ allowedIps }) =>
    allowedIps.ips.length === 0 ? { allowed_ips: list } : undefined,
  );
}

/** The catalogs of the sandbox's default branch, and the IP Allow list of its project. */
export async function facts(sandbox: SandboxInfo): Promise<Fact[]> {
  const { allowedIps } = await neon(sandbox).project(sandbox.projectId);
  const catalogs = await withClient({ connectionString: sandbox.superuserUri }, catalogFacts);
  return [...catalogs, ...allowListFacts(allowedIps)];
}
