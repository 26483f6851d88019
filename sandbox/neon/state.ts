import type { Compute } from "../compute";
import { ApiError, notFound } from "./errors";
import type { Keys } from "./keys";
import type { Operations } from "./operations";
import type { Organization, ProjectSettings } from "./wire";

/** The state of the emulator. Roles and databases are read again from the servers, where SQL can change them. */
export interface Neon {
  readonly compute: Compute;
  /** How many times faster than by default operations run and appear in their list. */
  readonly pace: number;
  readonly keys: Keys;
  readonly organization: Organization;
  readonly projects: Map<string, ProjectState>;
  /** Id of the project of the project-scoped key: the first project, also after it is deleted. */
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

/** A project's settings. Neon always reports the required ones, also for a new project. */
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
  /** The branch has no server. It can only be listed, renamed and deleted. */
  listedOnly?: true;
  /** When Neon deletes the branch, in ISO format; `undefined`: never. */
  expiresAt?: string;
  /** What the branch was made from: its parent with all data, or only the schema of another branch. */
  readonly initSource: "parent-data" | "schema-only";
  /** What the client that made the branch noted about it. */
  readonly annotation: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  updatedAt: Date;
  endpoint?: EndpointState;
  /** The roles as last read from the server, plus those that running operations are going to make. */
  roles: RoleState[];
  databases: DatabaseState[];
  /**
   * Names of roles that the control plane has made although their CREATE ROLE was rolled back. They appear on the server
   * when the compute starts next.
   */
  readonly ghosts: Set<string>;
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
  /** `undefined` if the role, or its present password, was made in SQL. */
  password?: string;
  /** Oid in the server; `undefined` until the role exists there. */
  oid?: number;
  /** `rolpassword` that belongs to {@link password}. If the server has another one, SQL changed the password. */
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

/** @throws ApiError 404 if there is no such project */
export function requireProject(neon: Neon, id: string): ProjectState {
  const project = neon.projects.get(id);
  if (project === undefined) throw notFound("project", id);
  return project;
}

/** @throws ApiError 404 if there is no such branch */
export function requireBranch(project: ProjectState, id: string): BranchState {
  const branch = project.branches.get(id);
  if (branch === undefined) throw notFound("branch", id);
  return branch;
}

/** @throws ApiError 404 if there is no such endpoint */
export function requireEndpoint(
  project: ProjectState,
  id: string,
): { branch: BranchState; endpoint: EndpointState } {
  for (const branch of project.branches.values())
    if (branch.endpoint?.id === id) return { branch, endpoint: branch.endpoint };
  throw notFound("endpoint", id);
}

/** The default branch. Every project has exactly one. */
export function defaultBranch(project: ProjectState): BranchState {
  for (const branch of project.branches.values()) if (branch.isDefault) return branch;
  throw notFound("default branch of project", project.id);
}

export function hasChildren(project: ProjectState, { id }: BranchState): boolean {
  return [...project.branches.values()].some(({ parentId }) => parentId === id);
}

/** Whether the branch has a server that runs. */
export function isRunning(neon: Neon, branch: BranchState): boolean {
  return branch.state === "ready" && !branch.listedOnly && neon.compute.isRunning(branch.id);
}

/** @throws ApiError 422 if the branch is only listed */
export function assertServer(branch: BranchState): void {
  if (branch.listedOnly)
    throw new ApiError(422, `branch "${branch.name}" was added to this sandbox without a server behind it`);
}
