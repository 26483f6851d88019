import type { OperationFault } from "./faults";
import { newBranchId, newDatabaseId, newEndpointId, newPassword, newProjectId } from "./names";
import { Operations, type OperationState } from "./operations";
import { setPassword, setUpServer } from "./servers";
import {
  assertServer,
  defaultBranch,
  type BranchState,
  type EndpointState,
  type Neon,
  type ProjectState,
  type RoleState,
  type Settings,
} from "./state";
import { followWalLevel, start, step } from "./steps";

export interface NewProject {
  readonly name?: string;
  readonly storePasswords: boolean;
  readonly settings: Settings;
  readonly historyRetentionSeconds: number;
  readonly branchName: string;
  readonly role: string;
  readonly database: string;
}

export interface Login {
  readonly role: string;
  readonly password: string;
  readonly database: string;
}

export interface CreatedProject {
  readonly project: ProjectState;
  readonly branch: BranchState;
  readonly endpoint: EndpointState;
  readonly operations: OperationState[];
  readonly login: Login;
}

/** A project with its root branch, compute, owner role and database; ready when the operations are finished. */
export async function createProject(
  neon: Neon,
  wanted: NewProject,
  fault?: OperationFault,
): Promise<CreatedProject> {
  const id = newProjectId();
  const now = new Date();
  const branch = newBranch({ name: wanted.branchName, isDefault: true });
  const endpoint = newEndpoint(branch.id);
  branch.endpoint = endpoint;
  const owner = newRole(wanted.role, newPassword());
  branch.roles = [owner];
  branch.databases = [newDatabase(wanted.database, wanted.role)];
  const project: ProjectState = {
    id,
    name: wanted.name ?? id,
    storePasswords: wanted.storePasswords,
    settings: wanted.settings,
    historyRetentionSeconds: wanted.historyRetentionSeconds,
    createdAt: now,
    updatedAt: now,
    branches: new Map([[branch.id, branch]]),
    operations: new Operations(neon.pace),
  };
  neon.projects.set(id, project);
  const server = neon.compute.createBranch(branch.id);
  const operations = project.operations.schedule(
    [
      step(branch, "create_timeline", async () => {
        await server;
        await followWalLevel(neon, project, branch);
        await setUpServer(neon, branch.id, owner, wanted.database);
        setReady(branch);
      }),
      start(neon, branch),
    ],
    fault,
  );
  // The address is part of the answer.
  await server;
  return {
    project,
    branch,
    endpoint,
    operations,
    login: { role: owner.name, password: owner.password, database: wanted.database },
  };
}

export interface NewBranch {
  readonly name?: string;
  readonly protected: boolean;
  readonly expiresAt?: string;
  readonly withEndpoint: boolean;
}

/** A copy of the parent as it is now; ready when the operations are finished. */
export async function createBranch(
  neon: Neon,
  project: ProjectState,
  parent: BranchState,
  wanted: NewBranch,
  fault?: OperationFault,
): Promise<{ branch: BranchState; operations: OperationState[] }> {
  const { compute } = neon;
  const branch = newBranch({ name: wanted.name, isDefault: false, parentId: parent.id });
  branch.protected = wanted.protected;
  branch.expiresAt = wanted.expiresAt;
  branch.roles = parent.roles.map((role) => ({ ...role }));
  branch.databases = parent.databases.map((database) => ({ ...database }));
  if (wanted.withEndpoint) branch.endpoint = newEndpoint(branch.id);

  project.operations.assertIdle();
  assertServer(parent);
  const parentWasRunning = compute.isRunning(parent.id);
  const server = compute.createBranch(branch.id, { copyOf: parent.id });
  const copy = step(branch, "create_branch", async () => {
    await server;
    if (!parentWasRunning) await compute.stop(parent.id);
    await followWalLevel(neon, project, branch);
    if (parent.protected) await renewPasswords(neon, branch);
    if (!wanted.withEndpoint) await compute.stop(branch.id);
    setReady(branch);
  });
  const operations = project.operations.schedule(
    wanted.withEndpoint ? [copy, start(neon, branch)] : [copy],
    fault,
  );
  project.branches.set(branch.id, branch);
  // The address is part of the answer.
  await server;
  return { branch, operations };
}

/**
 * Branches without compute that are only listed: there is no server behind them, so that a project can have hundreds.
 * Ready at once.
 */
export function addListedBranches(project: ProjectState, prefix: string, count: number): BranchState[] {
  const parent = defaultBranch(project);
  return Array.from({ length: count }, (_, at) => {
    const branch = newBranch({ name: `${prefix}${at + 1}`, isDefault: false, parentId: parent.id });
    branch.listedOnly = true;
    branch.roles = [...parent.roles];
    branch.databases = [...parent.databases];
    setReady(branch);
    project.branches.set(branch.id, branch);
    return branch;
  });
}

/** Since 2024-07-31 the roles of a protected branch's children get passwords of their own. */
async function renewPasswords(neon: Neon, branch: BranchState): Promise<void> {
  for (const role of branch.roles)
    if (role.login) await setPassword(neon.compute, branch.id, role, newPassword());
}

function newBranch(wanted: { name?: string; isDefault: boolean; parentId?: string }): BranchState {
  const id = newBranchId();
  const now = new Date();
  return {
    id,
    name: wanted.name ?? id,
    parentId: wanted.parentId,
    state: "init",
    stateChangedAt: now,
    isDefault: wanted.isDefault,
    protected: false,
    createdAt: now,
    updatedAt: now,
    roles: [],
    databases: [],
  };
}

function setReady(branch: BranchState): void {
  branch.state = "ready";
  branch.stateChangedAt = branch.updatedAt = new Date();
}

export function newEndpoint(branchId: string): EndpointState {
  const now = new Date();
  return {
    id: newEndpointId(),
    branchId,
    disabled: false,
    suspendTimeoutSeconds: 0,
    minComputeUnits: 0.25,
    maxComputeUnits: 2,
    createdAt: now,
    updatedAt: now,
  };
}

/** @param password left out: a role that cannot log in */
export function newRole<Password extends string | undefined>(
  name: string,
  password: Password,
): RoleState & { password: Password } {
  const now = new Date();
  return { name, login: password !== undefined, password, createdAt: now, updatedAt: now };
}

export function newDatabase(name: string, owner: string): BranchState["databases"][number] {
  const now = new Date();
  return { id: newDatabaseId(), name, owner, createdAt: now, updatedAt: now };
}
