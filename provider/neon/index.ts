export type { NeonApi } from "./api";
export { createNeonApi, type NeonApiOptions } from "./client";
export { connectTo, type ConnectionDetails } from "./connection";
export { isGone, NeonError, OperationError, TargetNotFound } from "./errors";
export { resolveTarget } from "./resolve";
export { apiRole } from "./apiRole";
export { ipAllow } from "./ipAllow";
export { logicalReplication, logicalReplicationKind } from "./logicalReplication";
export { systemClock } from "./clock";
