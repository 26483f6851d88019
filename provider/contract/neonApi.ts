/**
 * The part of Neon's API that this module uses. Every mutation waits for all of its operations before it returns. Every
 * method fails with a `UserError` that says what to do; an error about something that does not exist is `gone`.
 */
export interface NeonApi {
  /** Reads the project. */
  project(projectId: string): Promise<NeonProject>;
  /**
   * The project as this process last read it, for a caller that does not need the present moment. Reads the project if
   * this process has not read it yet, or has changed its settings since.
   */
  knownProject(projectId: string): Promise<NeonProject>;
  /**
   * PATCHes exactly the settings that `plan` returns, and waits. `plan` gets the project, and returns `undefined` when
   * nothing is left to do. After a temporary refusal (423, 429, 503) or a lost answer the project is read again and
   * `plan` is called again, so that no PATCH is repeated blindly or computed from an old list.
   *
   * @param plan may be called several times, each time with the project as it is then
   * @param current the project, if the caller has just read it
   * @param beside called after each PATCH that may have taken effect, with the project as it was read at the moment of
   *   the PATCH and the project that the PATCH was planned from. A difference between the two is a change by another
   *   writer that the PATCH did not take into account.
   */
  updateSettings(
    projectId: string,
    plan: (project: NeonProject) => NeonSettingsPatch | undefined,
    current?: NeonProject,
    beside?: (seen: NeonProject, planned: NeonProject) => void,
  ): Promise<void>;
  /** All branches, or those whose name or id contains `search`. */
  branches(projectId: string, search?: string): Promise<NeonBranch[]>;
  /** `undefined` when the branch does not exist. */
  branch(projectId: string, branchId: string): Promise<NeonBranch | undefined>;
  /** The computes of a branch. */
  endpoints(projectId: string, branchId: string): Promise<NeonEndpoint[]>;
  /** Restarts one compute, which drops its connections. */
  restartEndpoint(projectId: string, endpointId: string): Promise<void>;
  /**
   * Makes a branch with a read-write compute. Fails with 409 when the name is taken. Its annotation tells whether a branch
   * is the one that was asked for, if Neon's answer is lost.
   */
  createBranch(projectId: string, branch: NewBranch): Promise<NeonBranch>;
  /** Changes what is given, and leaves the rest. */
  updateBranch(projectId: string, branchId: string, change: BranchChange): Promise<void>;
  /** Succeeds when the branch does not exist. Ends the connections to its compute. */
  deleteBranch(projectId: string, branchId: string): Promise<void>;
  /** Waits for all operations of the project that have not ended, whoever started them. */
  settled(projectId: string): Promise<void>;
  databases(projectId: string, branchId: string): Promise<NeonDatabase[]>;
  /** `undefined` when the role does not exist. */
  role(projectId: string, branchId: string, name: string): Promise<NeonRole | undefined>;
  /** Drops the connections of the branch's compute. Fails with 409 when the role exists. */
  createRole(projectId: string, branchId: string, name: string): Promise<NewRole>;
  /** Succeeds when the role does not exist. Drops the connections of the branch's compute. */
  deleteRole(projectId: string, branchId: string, name: string): Promise<void>;
  revealPassword(projectId: string, branchId: string, name: string): Promise<string>;
  /**
   * Returns the new password. Drops the connections of the branch's compute.
   *
   * @param previous the present password: if Neon's answer is lost, a comparison tells whether the reset took effect
   */
  resetPassword(projectId: string, branchId: string, name: string, previous: string): Promise<string>;
  /**
   * URI of a direct connection: the request names branch and endpoint, and has `pooled=false`. A process asks Neon once
   * for each database and role, however often it connects anew.
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
  /** Whether Neon keeps the passwords of roles. Without them it can neither reveal a password nor give a URI. */
  readonly storePasswords: boolean;
  /** The setting `enable_logical_replication`. */
  readonly logicalReplication: boolean;
  /** Whether the project refuses connections from the internet. */
  readonly blockPublicConnections: boolean;
  readonly allowedIps: NeonAllowedIps;
  /** How many branches the project may have; left out where Neon does not say. */
  readonly branchesLimit?: number;
}

/** The IP Allow list of a project. */
export interface NeonAllowedIps {
  /** Addresses, CIDR blocks and ranges `first-last`. An empty list admits every address. */
  readonly ips: readonly string[];
  /** Whether the list restricts protected branches only. */
  readonly protectedBranchesOnly: boolean;
}

/** The only two shapes of a settings PATCH that this module sends. Both are exactly as Neon documents them. */
export type NeonSettingsPatch =
  | { readonly enable_logical_replication: true }
  | { readonly allowed_ips: { readonly ips: readonly string[]; readonly protected_branches_only: boolean } };

export interface NeonBranch {
  readonly id: string;
  readonly name: string;
  readonly isDefault: boolean;
  readonly isProtected: boolean;
  /** Left out for a root branch; a branch that was made with the schema only is one too. */
  readonly parentId?: string;
  /** When the branch was made, in ISO format; left out where Neon does not say. */
  readonly createdAt?: string;
  /** When Neon deletes the branch, in ISO format; left out: never. */
  readonly expiresAt?: string;
  /** What the client that made the branch noted about it; empty: nothing. */
  readonly annotation: Readonly<Record<string, string>>;
}

/** A branch to make. */
export interface NewBranch {
  readonly name: string;
  /** Id of the branch to copy. */
  readonly parentId: string;
  /** Whether to copy the schema without the rows. Such a branch has no parent. */
  readonly schemaOnly: boolean;
  /** When Neon deletes it, in ISO format, with precision up to seconds; left out: never. */
  readonly expiresAt?: string;
  readonly annotation: Readonly<Record<string, string>>;
}

/** What can be changed of a branch. */
export interface BranchChange {
  readonly name?: string;
  /** `null`: the branch does not expire any more. */
  readonly expiresAt?: string | null;
}

/** A compute. */
export interface NeonEndpoint {
  readonly id: string;
  /** Host of direct connections, in the sandbox with a port: `host` or `host:port`. */
  readonly host: string;
  /** `false` for a read replica. */
  readonly readWrite: boolean;
  readonly disabled: boolean;
}

export interface NeonDatabase {
  readonly name: string;
  /** Name of the owner role. */
  readonly owner: string;
}

/** A role that was made just now. */
export interface NewRole extends Pick<NeonRole, "createdAt"> {
  readonly password: string;
}

export interface NeonRole {
  readonly name: string;
  /** When the role was made, in ISO format; left out where Neon does not say. */
  readonly createdAt?: string;
  /** `false` for a role that cannot log in, or that logs in with OAuth. */
  readonly hasPassword: boolean;
}
