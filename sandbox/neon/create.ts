import type { OperationFault } from "./faults";
import { newBranchId, newDatabaseId, newEndpointId, newPassword, newProjectId } from "./names";
import { Operations, type OperationState } from "./operations";
import { removeRows, setPassword, setUpServer } from "./servers";
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

interface NewProject {
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

interface CreatedProject {
  readonly project: ProjectState;
  readonly branch: BranchState;
  readonly endpoint: EndpointState;
  readonly operations: OperationState[];
  readonly login: Login;
}

/**
 * Makes a project with its root branch, compute, owner role and database. It is ready when the operations are finished.
 *
 * @param fault how the operations end
 */
export async function createProject(
  neon: Neon,
  asked: NewProject,
  fault?: OperationFault,
): Promise<CreatedProject> {
  const id = newProjectId();
  const now = new Date();
  const branch = newBranch({ name: asked.branchName, isDefault: true });
  const endpoint = newEndpoint(branch.id);
  branch.endpoint = endpoint;
  const owner = newRole(asked.role, newPassword());
  branch.roles = [owner];
  branch.databases = [newDatabase(asked.database, asked.role)];
  const project: ProjectState = {
    id,
    name: asked.name ?? id,
    storePasswords: asked.storePasswords,
    settings: asked.settings,
    historyRetentionSeconds: asked.historyRetentionSeconds,
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
        await setUpServer(neon.compute, branch.id, owner, asked.database);
        setReady(branch);
      }),
      start(neon, branch),
    ],
    fault,
  );
  // The answer contains the address of the server.
  await server;
  return {
    project,
    branch,
    endpoint,
    operations,
    login: { role: owner.name, password: owner.password, database: asked.database },
  };
}

interface NewBranch {
  readonly name?: string;
  readonly protected: boolean;
  readonly expiresAt?: string;
  /** Without the rows, and without a parent. */
  readonly schemaOnly: boolean;
  readonly annotation: Readonly<Record<string, string>>;
  readonly withEndpoint: boolean;
}

/**
 * Makes a branch: a copy of the parent as it is now, or of its schema. It is ready when the operations are finished.
 *
 * @param fault how the operations end
 */
export async function createBranch(
  neon: Neon,
  project: ProjectState,
  parent: BranchState,
  asked: NewBranch,
  fault?: OperationFault,
): Promise<{ branch: BranchState; operations: OperationState[] }> {
  const { compute } = neon;
  const { schemaOnly, annotation } = asked;
  const branch = newBranch({
    name: asked.name,
    isDefault: false,
    parentId: schemaOnly ? undefined : parent.id,
    initSource: schemaOnly ? "schema-only" : "parent-data",
    annotation,
  });
  branch.protected = asked.protected;
  branch.expiresAt = asked.expiresAt;
  branch.roles = parent.roles.map((role) => ({ ...role }));
  branch.databases = parent.databases.map((database) => ({ ...database }));
  if (asked.withEndpoint) branch.endpoint = newEndpoint(branch.id);

  project.operations.assertIdle();
  assertServer(parent);
  const parentWasRunning = compute.isRunning(parent.id);
  const server = compute.createBranch(branch.id, { copyOf: parent.id });
  const copy = step(branch, "create_branch", async () => {
    await server;
    if (!parentWasRunning) await compute.stop(parent.id);
    await followWalLevel(neon, project, branch);
    if (parent.protected) await renewPasswords(neon, branch);
    if (schemaOnly) await removeRows(neon.compute, branch);
    if (!asked.withEndpoint) await compute.stop(branch.id);
    setReady(branch);
  });
  const operations = project.operations.schedule(
    asked.withEndpoint ? [copy, start(neon, branch)] : [copy],
    fault,
  );
  project.branches.set(branch.id, branch);
  // The answer contains the address of the server.
  await server;
  return { branch, operations };
}

/**
 * Makes branches that have no compute and no server and are only listed, so that a project can have hundreds of them.
 * They are ready at once.
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

/** On Neon, the children of a protected branch have had other passwords than their parent since 2024-07-31. */
async function renewPasswords(neon: Neon, branch: BranchState): Promise<void> {
  for (const role of branch.roles)
    if (role.login) await setPassword(neon.compute, branch.id, role, newPassword());
}

function newBranch(asked: {
  name?: string;
  isDefault: boolean;
  parentId?: string;
  initSource?: BranchState["initSource"];
  annotation?: BranchState["annotation"];
}): BranchState {
  const id = newBranchId();
  const now = new Date();
  return {
    id,
    name: asked.name ?? id,
    parentId: asked.parentId,
    initSource: asked.initSource ?? "parent-data",
    annotation: asked.annotation ?? {},
    state: "init",
    stateChangedAt: now,
    isDefault: asked.isDefault,
    protected: false,
    createdAt: now,
    updatedAt: now,
    roles: [],
    databases: [],
    ghosts: new Set(),
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

/** @param password `undefined` for a role that cannot log in */
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
