export { apiRoleInputs, type ApiRoleInputs } from "./kinds/apiRole";
export { ipAllowInputs, type IpAllowInputs } from "./kinds/ipAllow";
export {
  logicalReplicationInputs,
  type LogicalReplicationInputs,
  type PreflightInputs,
} from "./kinds/logicalReplication";
export { publicationInputs, type PublicationInputs } from "./kinds/publication";
export { readAccessInputs, type ReadAccessInputs } from "./kinds/readAccess";
export { readinessInputs, type ReadinessInputs } from "./kinds/readiness";
export { replicaIdentityInputs, type ReplicaIdentityInputs } from "./kinds/replicaIdentity";
export { replicationRoleInputs, type ReplicationRoleInputs } from "./kinds/replicationRole";
export { replicationSlotInputs, type ReplicationSlotInputs } from "./kinds/replicationSlot";
