export { ApiRole, type ApiRoleArgs } from "./generated/apiRole";
export { BemiAuditTrail } from "./generated/bemiAuditTrail";
export { Branch, type BranchArgs } from "./generated/branch";
export { IpAllow, type IpAllowArgs } from "./generated/ipAllow";
export {
  LogicalReplication,
  type LogicalReplicationArgs,
  type PreflightArgs,
} from "./generated/logicalReplication";
export { Provider, type ProviderArgs } from "./generated/provider";
export { Publication, type PublicationArgs } from "./generated/publication";
export { ReadAccess, type ReadAccessArgs } from "./generated/readAccess";
export { Readiness, type ReadinessArgs } from "./generated/readiness";
export { ReplicaIdentity, type ReplicaIdentityArgs } from "./generated/replicaIdentity";
export { ReplicationRole, type ReplicationRoleArgs } from "./generated/replicationRole";
export { ReplicationSlot, type ReplicationSlotArgs } from "./generated/replicationSlot";
export type { BranchTargetArgs, DatabaseArgs, IdentityArgs, SelectionArgs } from "./generated/shared";
export type {
  BemiAuditTrailArgs,
  BemiConnection,
  BemiEndpoint,
  BemiEnvironment,
  BemiRoleArgs,
  BemiStatus,
} from "./generated/trailTypes";
