/** What the module uses of Neon's API. Every mutation waits for all of its operations before it returns. */
export interface NeonApi {
  project(projectId: string): Promise<NeonProject>;
  /** PATCHes exactly the given settings and waits. */
  updateSettings(projectId: string, settings: NeonSettingsPatch): Promise<void>;
  /** All branches, or those whose name or id contains `search`. */
  branches(projectId: string, search?: string): Promise<NeonBranch[]>;
  /** `undefined` when there is no such branch. */
  branch(projectId: string, branchId: string): Promise<NeonBranch | undefined>;
  endpoints(projectId: string, branchId: string): Promise<NeonEndpoint[]>;
  databases(projectId: string, branchId: string): Promise<NeonDatabase[]>;
  /** `undefined` when there is no such role. */
  role(projectId: string, branchId: string, name: string): Promise<NeonRole | undefined>;
  createRole(projectId: string, branchId: string, name: string): Promise<void>;
  /** Already gone is fine. */
  deleteRole(projectId: string, branchId: string, name: string): Promise<void>;
  revealPassword(projectId: string, branchId: string, name: string): Promise<string>;
  resetPassword(projectId: string, branchId: string, name: string): Promise<string>;
  /** Direct connection URI, with branch and endpoint named explicitly and `pooled=false`. */
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
}
