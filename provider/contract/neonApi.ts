/** What the module uses of Neon's API. Every mutation waits for all of its operations before it returns. */
export interface NeonApi {
  /** As it is now. */
  project(projectId: string): Promise<NeonProject>;
  /** As this process last read it, unless it changed its settings since; for what need not be of this moment. */
  knownProject(projectId: string): Promise<NeonProject>;
  /**
   * PATCHes exactly the settings that `plan` asks for, and waits. `plan` gets the project as it is and returns
   * `undefined` when nothing is left to do; after a refusal for now (423, 429, 503) or an answer that got lost, the
   * project is read and `plan` asked again, so that no PATCH is repeated blindly or from an old list.
   *
   * @param current the project, where it has been read a moment ago
   * @param beside gets the project as it was read at the moment of each PATCH that may have taken effect, next to what
   *   that one was planned from: a difference is somebody else's change, which the PATCH knew nothing of
   */
  updateSettings(
    projectId: string,
    plan: (project: NeonProject) => NeonSettingsPatch | undefined,
    current?: NeonProject,
    beside?: (seen: NeonProject, planned: NeonProject) => void,
  ): Promise<void>;
  /** All branches, or those whose name or id contains `search`. */
  branches(projectId: string, search?: string): Promise<NeonBranch[]>;
  /** `undefined` when there is no such branch. */
  branch(projectId: string, branchId: string): Promise<NeonBranch | undefined>;
  endpoints(projectId: string, branchId: string): Promise<NeonEndpoint[]>;
  /** Drops the connections of that one compute. */
  restartEndpoint(projectId: string, endpointId: string): Promise<void>;
  databases(projectId: string, branchId: string): Promise<NeonDatabase[]>;
  /** `undefined` when there is no such role. */
  role(projectId: string, branchId: string, name: string): Promise<NeonRole | undefined>;
  /** Returns the password. Drops the connections of the branch's compute. Fails with 409 when the role exists. */
  createRole(projectId: string, branchId: string, name: string): Promise<string>;
  /** Already gone is fine. */
  deleteRole(projectId: string, branchId: string, name: string): Promise<void>;
  revealPassword(projectId: string, branchId: string, name: string): Promise<string>;
  /**
   * Returns the new password. Drops the connections of the branch's compute.
   *
   * @param previous the password so far: when Neon's answer gets lost, it tells whether there is a new one
   */
  resetPassword(projectId: string, branchId: string, name: string, previous: string): Promise<string>;
  /**
   * Direct connection URI, with branch and endpoint named explicitly and `pooled=false`. Asked for once in a process,
   * however often a restart makes it connect anew.
   */
  connectionUri(query: {
    projectId: string;
    branchId: string;
    endpointId: string;
    database: string;
    role: string;
  }): Promise<string>;
}

export interface NeonProject {
  readonly id: string;
  readonly name: string;
  readonly pgVersion: number;
  readonly storePasswords: boolean;
  readonly logicalReplication: boolean;
  readonly blockPublicConnections: boolean;
  readonly allowedIps: NeonAllowedIps;
}

export interface NeonAllowedIps {
  readonly ips: readonly string[];
  readonly protectedBranchesOnly: boolean;
}

/** The documented exact shapes of a PATCH this module ever sends; nothing else of the settings is touched. */
export type NeonSettingsPatch =
  | { readonly enable_logical_replication: true }
  | { readonly allowed_ips: { readonly ips: readonly string[]; readonly protected_branches_only: boolean } };

export interface NeonBranch {
  readonly id: string;
  readonly name: string;
  readonly isDefault: boolean;
}

export interface NeonEndpoint {
  readonly id: string;
  readonly host: string;
  readonly readWrite: boolean;
  readonly disabled: boolean;
}

export interface NeonDatabase {
  readonly name: string;
  readonly owner: string;
}

export interface NeonRole {
  readonly name: string;
  /** `false` for a role that cannot log in, or does so by OAuth. */
  readonly hasPassword: boolean;
}
