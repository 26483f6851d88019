import type { Definition } from "../definition";
import { apiRoleDefinition } from "./apiRole";
import { branchDefinition } from "./branch";
import { ipAllowDefinition } from "./ipAllow";
import { logicalReplicationDefinition } from "./logicalReplication";
import { publicationDefinition } from "./publication";
import { readAccessDefinition } from "./readAccess";
import { readinessDefinition } from "./readiness";
import { replicaIdentityDefinition } from "./replicaIdentity";
import { replicationRoleDefinition } from "./replicationRole";
import { replicationSlotDefinition } from "./replicationSlot";

/** Every kind: the branch that a trail may be on, then the others in the order in which a trail declares them. */
export const definitions: readonly Definition[] = [
  branchDefinition,
  logicalReplicationDefinition,
  replicationRoleDefinition,
  apiRoleDefinition,
  readAccessDefinition,
  replicaIdentityDefinition,
  publicationDefinition,
  replicationSlotDefinition,
  readinessDefinition,
  ipAllowDefinition,
];
