import type { CommitFault, Compute } from "../compute";
import { createProject } from "./create";
import { Faults } from "./faults";
import { admitsAddress } from "./ipAllow";
import { newKeys, type Keys } from "./keys";
import { RequestLog } from "./log";
import { newOrganizationId } from "./names";
import { allRoutes } from "./routes";
import { API_PREFIX, buildServer } from "./server";
import { newSettings } from "./settings";
import { commitFault } from "./sqlFaults";
import type { BranchState, Neon } from "./state";
import { connectionUri } from "./views";

export { FaultScriptError } from "./faults";
export type { Keys } from "./keys";
export type { LoggedExchange } from "./log";

interface EmulatorOptions {
  /** The servers of the branches. */
  readonly compute: Compute;
  /** Path of a fault script. Default: no faults. */
  readonly faults?: string;
  /** Path of the request log. The file is emptied at the start. */
  readonly requestLog: string;
  /**
   * How many times faster than by default the operations run and appear in their list. For tests on a fast clock.
   * Default: 1.
   */
  readonly pace?: number;
}

/** A running emulator of Neon's API with one project. */
export interface Emulator {
  /** Base URL of the API; ends in `/api/v2`. */
  readonly apiUrl: string;
  /** The main key of {@link keys}. */
  readonly apiKey: string;
  readonly keys: Keys;
  readonly projectId: string;
  /** The project's default branch. */
  readonly branchId: string;
  readonly branchName: string;
  readonly endpointId: string;
  readonly database: string;
  readonly owner: string;
  /** URI by which the owner connects to {@link database} through the front door, with its present password. */
  ownerUri(): string;
  /** Whether the IP Allow list of the branch's project admits a new connection from the address. */
  admits(branchId: string, address: string): boolean;
  /** Neon's message if the branch accepts no connections at all; otherwise `undefined`. */
  refusal(branchId: string): string | undefined;
  /** The message with which a fault refuses this login; otherwise `undefined`. Counts the login. */
  refuseLogin(role: string): string | undefined;
  /** What a fault does to a transaction with a statement about a role, at its commit. Counts the transaction. */
  roleFault(branchId: string): CommitFault | undefined;
  /**
   * Replaces the fault script (`{ faults: [...] }`). One without faults ends all faults.
   *
   * @throws FaultScriptError if the script is not valid
   */
  setFaults(script: unknown): void;
  /** Resolves when no operation is running. */
  settled(): Promise<void>;
  /** Waits for running operations and requests, and stops answering. The servers stay. May be called twice. */
  close(): Promise<void>;
}

const BRANCH = "main";
const DATABASE = "neondb";
const OWNER = "neondb_owner";

/**
 * Starts the emulator on a free port of the loopback interface, with one project as `POST /projects` makes it.
 *
 * @throws FaultScriptError if the fault script is not valid
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const now = new Date().toISOString();
  const organizationId = newOrganizationId();
  const neon: Neon = {
    compute: options.compute,
    pace: options.pace ?? 1,
    keys: newKeys(),
    organization: {
      id: organizationId,
      name: "Sandbox",
      handle: organizationId.replace(/^org-/, ""),
      plan: "scale_v3",
      managed_by: "console",
      created_at: now,
      updated_at: now,
    },
    projects: new Map(),
    projectOfKey: undefined,
  };
  const routes = allRoutes(neon);
  const faults = new Faults(routes);
  if (options.faults !== undefined) faults.load(options.faults);
  const app = buildServer({ neon, routes, faults, log: new RequestLog(options.requestLog) });

  const { project, branch, endpoint, operations } = await createProject(neon, {
    storePasswords: true,
    settings: newSettings(),
    historyRetentionSeconds: 86_400,
    branchName: BRANCH,
    role: OWNER,
    database: DATABASE,
  });
  neon.projectOfKey = project.id;
  await project.operations.settled();
  for (const { id } of operations) {
    const { action, error } = project.operations.get(id) ?? {};
    if (error !== undefined) throw new Error(`The sandbox's project could not be made: ${action}: ${error}`);
  }
  const origin = await app.listen({ host: "127.0.0.1", port: 0 });

  return {
    apiUrl: `${origin}${API_PREFIX}`,
    apiKey: neon.keys.main,
    keys: neon.keys,
    projectId: project.id,
    branchId: branch.id,
    branchName: branch.name,
    endpointId: endpoint.id,
    database: DATABASE,
    owner: OWNER,
    ownerUri: () => {
      const password = branch.roles.find(({ name }) => name === OWNER)?.password ?? "";
      return connectionUri(neon, branch, { role: OWNER, password, database: DATABASE, pooled: false });
    },
    admits: (branchId, address) => admits(neon, branchId, address),
    refusal: (branchId) => refusal(neon, branchId),
    refuseLogin: (role) => faults.hitLogin(role)?.message,
    roleFault: (branchId) => {
      const fault = faults.hitRoles();
      if (fault?.role !== undefined) branchById(neon, branchId)?.ghosts.add(fault.role);
      return fault && commitFault(fault);
    },
    setFaults: (script) => {
      faults.set(script);
    },
    settled: async () => {
      await Promise.all([...neon.projects.values()].map(({ operations }) => operations.settled()));
    },
    close: async () => {
      await app.close();
      await Promise.all([...neon.projects.values()].map(({ operations }) => operations.close()));
    },
  };
}

function admits(neon: Neon, branchId: string, address: string): boolean {
  for (const { branches, settings } of neon.projects.values()) {
    const branch = branches.get(branchId);
    if (branch === undefined) continue;
    const rule = {
      ips: settings.allowed_ips.ips,
      protectedBranchesOnly: settings.allowed_ips.protected_branches_only,
      blockPublicConnections: settings.block_public_connections,
    };
    return admitsAddress(rule, branch.protected, address);
  }
  return false;
}

/*
 * The messages of Neon's proxy.
 */
const DISABLED = "The endpoint has been disabled. Enable it using Neon API and retry.";
const NO_ENDPOINT =
  "The requested endpoint could not be found, or you don't have access to it. Please check the provided ID and try again.";

function refusal(neon: Neon, branchId: string): string | undefined {
  const branch = branchById(neon, branchId);
  if (branch === undefined) return undefined;
  if (branch.endpoint === undefined) return NO_ENDPOINT;
  return branch.endpoint.disabled ? DISABLED : undefined;
}

function branchById(neon: Neon, branchId: string): BranchState | undefined {
  for (const { branches } of neon.projects.values()) {
    const branch = branches.get(branchId);
    if (branch !== undefined) return branch;
  }
  return undefined;
}
