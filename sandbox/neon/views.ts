import type { OperationState } from "./operations";
import { isRunning } from "./state";
import type { BranchState, DatabaseState, EndpointState, Neon, ProjectState, RoleState } from "./state";
import type {
  Branch,
  ConnectionDetails,
  Database,
  Endpoint,
  Operation,
  Project,
  ProjectListItem,
  Role,
} from "./wire";

/** The platform and region that the emulator reports. */
const PLATFORM_ID = "aws";
const PLACE = {
  region_id: "aws-us-east-2",
  proxy_host: "localhost",
  provisioner: "k8s-neonvm",
} as const;
const LIMIT_MEBIBYTES = 16_384;
const CREATION_SOURCE = "api";

/** Fields that are out of use on Neon, but that its OpenAPI document still requires. */
const RETIRED = {
  project: { cpu_used_sec: 0 },
  branch: { cpu_used_sec: 0 },
  endpoint: { pooler_enabled: false, pooler_mode: "transaction" },
} as const;

/** A time as Neon writes it, without fractions of a second. */
function time(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}

function common(neon: Neon, project: ProjectState) {
  return {
    ...PLACE,
    ...RETIRED.project,
    platform_id: PLATFORM_ID,
    id: project.id,
    name: project.name,
    default_endpoint_settings: {
      autoscaling_limit_min_cu: 0.25,
      autoscaling_limit_max_cu: 2,
      suspend_timeout_seconds: 0,
    },
    settings: project.settings,
    pg_version: neon.compute.pgVersion,
    branch_logical_size_limit: LIMIT_MEBIBYTES,
    branch_logical_size_limit_bytes: LIMIT_MEBIBYTES * 1024 * 1024,
    store_passwords: project.storePasswords,
    creation_source: CREATION_SOURCE,
    history_retention_seconds: project.historyRetentionSeconds,
    created_at: time(project.createdAt),
    updated_at: time(project.updatedAt),
    synthetic_storage_size: 0,
    owner_id: neon.organization.id,
    org_id: neon.organization.id,
  };
}

export function projectView(neon: Neon, project: ProjectState): Project {
  const periodStart = new Date(Date.UTC(project.createdAt.getUTCFullYear(), project.createdAt.getUTCMonth()));
  const periodEnd = new Date(Date.UTC(periodStart.getUTCFullYear(), periodStart.getUTCMonth() + 1));
  return {
    ...common(neon, project),
    data_storage_bytes_hour: 0,
    data_transfer_bytes: 0,
    written_data_bytes: 0,
    compute_time_seconds: 0,
    active_time_seconds: 0,
    consumption_period_start: time(periodStart),
    consumption_period_end: time(periodEnd),
    owner: {
      name: neon.organization.name,
      email: "sandbox@example.com",
      branches_limit: 500,
      // The plan with IP Allow and protected branches.
      subscription_type: "scale_v3",
    },
  };
}

export function projectListItem(neon: Neon, project: ProjectState): ProjectListItem {
  return { ...common(neon, project), active_time: 0, org_name: neon.organization.name };
}

export function branchView(project: ProjectState, branch: BranchState): Branch {
  return {
    ...RETIRED.branch,
    id: branch.id,
    project_id: project.id,
    ...(branch.parentId === undefined ? {} : { parent_id: branch.parentId }),
    name: branch.name,
    current_state: branch.state,
    ...(branch.state === "init" ? { pending_state: "ready" } : {}),
    state_changed_at: time(branch.stateChangedAt),
    logical_size: 0,
    creation_source: CREATION_SOURCE,
    default: branch.isDefault,
    protected: branch.protected,
    compute_time_seconds: 0,
    active_time_seconds: 0,
    written_data_bytes: 0,
    data_transfer_bytes: 0,
    created_at: time(branch.createdAt),
    updated_at: time(branch.updatedAt),
    ...(branch.expiresAt === undefined ? {} : { expires_at: branch.expiresAt }),
    init_source: branch.initSource,
  };
}

export function endpointView(
  neon: Neon,
  project: ProjectState,
  branch: BranchState,
  endpoint: EndpointState,
): Endpoint {
  return {
    ...PLACE,
    ...RETIRED.endpoint,
    id: endpoint.id,
    project_id: project.id,
    branch_id: branch.id,
    host: directHost(neon, branch),
    type: "read_write",
    current_state: branch.state === "init" ? "init" : isRunning(neon, branch) ? "active" : "idle",
    ...(branch.state === "init" ? { pending_state: "active" } : {}),
    autoscaling_limit_min_cu: endpoint.minComputeUnits,
    autoscaling_limit_max_cu: endpoint.maxComputeUnits,
    suspend_timeout_seconds: endpoint.suspendTimeoutSeconds,
    settings: { pg_settings: {} },
    disabled: endpoint.disabled,
    passwordless_access: true,
    creation_source: CREATION_SOURCE,
    created_at: time(endpoint.createdAt),
    updated_at: time(endpoint.updatedAt),
  };
}

/** @param password only for the answers to requests that set one */
export function roleView(branch: BranchState, role: RoleState, password?: string): Role {
  return {
    branch_id: branch.id,
    name: role.name,
    ...(password === undefined ? {} : { password }),
    protected: false,
    authentication_method: role.login ? "password" : "no_login",
    created_at: time(role.createdAt),
    updated_at: time(role.updatedAt),
  };
}

export function databaseView(branch: BranchState, database: DatabaseState): Database {
  return {
    id: database.id,
    branch_id: branch.id,
    name: database.name,
    owner_name: database.owner,
    created_at: time(database.createdAt),
    updated_at: time(database.updatedAt),
  };
}

export function operationView(project: ProjectState, operation: OperationState): Operation {
  return {
    id: operation.id,
    project_id: project.id,
    branch_id: operation.branchId,
    ...(operation.endpointId === undefined ? {} : { endpoint_id: operation.endpointId }),
    action: operation.action,
    status: operation.status,
    ...(operation.error === undefined ? {} : { error: operation.error }),
    failures_count: operation.failures,
    ...(operation.retryAt === undefined ? {} : { retry_at: time(operation.retryAt) }),
    created_at: time(operation.createdAt),
    updated_at: time(operation.updatedAt),
    total_duration_ms: operation.updatedAt.getTime() - operation.createdAt.getTime(),
  };
}

function directHost(neon: Neon, branch: BranchState): string {
  return neon.compute.address(branch.id).host;
}

/** A host on which no server listens, because the sandbox has no pooler. */
function poolerHost(neon: Neon, branch: BranchState): string {
  const { port } = neon.compute.address(branch.id);
  return `${branch.endpoint?.id ?? branch.id}-pooler.localhost:${port}`;
}

export function connectionUri(
  neon: Neon,
  branch: BranchState,
  login: { role: string; password: string; database: string; pooled: boolean },
): string {
  const host = login.pooled ? poolerHost(neon, branch) : directHost(neon, branch);
  const [role, password, database] = [login.role, login.password, login.database].map(encodeURIComponent);
  return `postgresql://${role}:${password}@${host}/${database}?sslmode=require&channel_binding=require`;
}

/** How to connect, as the answers to POST requests report it: the direct URI. */
export function connectionDetails(
  neon: Neon,
  branch: BranchState,
  login: { role: string; password: string; database: string },
): ConnectionDetails {
  return {
    connection_uri: connectionUri(neon, branch, { ...login, pooled: false }),
    connection_parameters: {
      ...login,
      host: directHost(neon, branch),
      pooler_host: poolerHost(neon, branch),
    },
  };
}
