import type { Compute } from "../compute";
import { ApiError, notFound } from "./errors";
import type { Keys } from "./keys";
import type { Operations } from "./operations";
import type { Organization, ProjectSettings } from "./wire";

/** Everything the emulator knows; the truth about roles and databases is in the servers. */
export interface Neon {
  readonly compute: Compute;
  readonly profile: "strict" | "neon";
  /** How many times faster than by default operations and their list are. */
  readonly pace: number;
  readonly keys: Keys;
  readonly organization: Organization;
  readonly projects: Map<string, ProjectState>;
  /** What the project-scoped key is for: the first project, also after it is gone. */
  projectOfKey: string | undefined;
}

export interface ProjectState {
  readonly id: string;
  name: string;
  readonly storePasswords: boolean;
  settings: Settings;
  historyRetentionSeconds: number;
  readonly createdAt: Date;
  updatedAt: Date;
  readonly branches: Map<string, BranchState>;
  readonly operations: Operations;
}

/** Neon reports these settings always, also on a new project. */
export type Settings = ProjectSettings &
  Required<Pick<ProjectSettings, "enable_logical_replication" | "block_public_connections">> & {
    allowed_ips: { ips: string[]; protected_branches_only: boolean };
  };

export interface BranchState {
  readonly id: string;
  name: string;
  readonly parentId?: string;
  state: "init" | "ready";
  stateChangedAt: Date;
  isDefault: boolean;
  protected: boolean;
  /** There is no server behind it: it can be listed, renamed and deleted, and no more. */
  listedOnly?: true;
  expiresAt?: string;
  readonly createdAt: Date;
  updatedAt: Date;
  endpoint?: EndpointState;
  /** As last seen in the server, plus what running operations are about to add. */
  roles: RoleState[];
  databases: DatabaseState[];
}

export interface EndpointState {
  readonly id: string;
  readonly branchId: string;
  disabled: boolean;
  suspendTimeoutSeconds: number;
  minComputeUnits: number;
  maxComputeUnits: number;
  readonly createdAt: Date;
  updatedAt: Date;
}

export interface RoleState {
  readonly name: string;
  readonly login: boolean;
  /** Unknown where the role, or its present password, was made in SQL. */
  password?: string;
  /** Identity in the server; unknown until the role has been made there. */
  oid?: number;
  /** `rolpassword` of {@link password}: tells when the password was changed in SQL. */
  verifier?: string | null;
  readonly createdAt: Date;
  updatedAt: Date;
}

export interface DatabaseState {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export function findProject(neon: Neon, id: string): ProjectState {
  const project = neon.projects.get(id);
  if (project === undefined) throw notFound("project", id);
  return project;
}

export function findBranch(project: ProjectState, id: string): BranchState {
  const branch = project.branches.get(id);
  if (branch === undefined) throw notFound("branch", id);
  return branch;
}

export function findEndpoint(
  project: ProjectState,
  id: string,
): { branch: BranchState; endpoint: EndpointState } {
  for (const branch of project.branches.values())
    if (branch.endpoint?.id === id) return { branch, endpoint: branch.endpoint };
  throw notFound("endpoint", id);
}

/** Every project has exactly one. */
export function defaultBranch(project: ProjectState): BranchState {
  for (const branch of project.branches.values()) if (branch.isDefault) return branch;
  throw notFound("default branch of project", project.id);
}

export function isRunning(neon: Neon, branch: BranchState): boolean {
  return branch.state === "ready" && !branch.listedOnly && neon.compute.isRunning(branch.id);
}

export function assertServer(branch: BranchState): void {
  if (branch.listedOnly)
    throw new ApiError(422, `branch "${branch.name}" was added to this sandbox without a server behind it`);
}
