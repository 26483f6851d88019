export type { BranchArgs, DatabaseArgs, SelectionArgs } from "./args";
export { ApiRole, type ApiRoleArgs } from "./apiRole";
export {
  BemiAuditTrail,
  type BemiAuditTrailArgs,
  type BemiConnection,
  type BemiEnvironment,
  type BemiRoleArgs,
  type BemiStatus,
} from "./bemiAuditTrail";
export { IpAllow, type IpAllowArgs } from "./ipAllow";
export { LogicalReplication, type LogicalReplicationArgs, type PreflightArgs } from "./logicalReplication";
export { Publication, type PublicationArgs } from "./publication";
export { ReadAccess, type ReadAccessArgs } from "./readAccess";
export { Readiness, type ReadinessArgs } from "./readiness";
export { ReplicaIdentity, type ReplicaIdentityArgs } from "./replicaIdentity";
export { ReplicationRole, type ReplicationRoleArgs } from "./replicationRole";
export { ReplicationSlot, type ReplicationSlotArgs } from "./replicationSlot";
