export type { NeonApi } from "../contract/neonApi";
export { createNeonApi, type NeonApiOptions } from "./client";
export { connectTo, type ConnectionDetails } from "./connection";
export { NeonError, OperationError, TargetNotFound } from "./errors";
export { resolveTarget } from "./resolve";
export { apiRole } from "./apiRole";
export { ipAllow } from "./ipAllow";
export { logicalReplication, logicalReplicationKind } from "./logicalReplication";
export { systemClock } from "../contract/clock";
