/** The door of this room: other rooms import from here only. */
export { createNeonApi } from "./api/client";
export { NeonError } from "./api/errors";
export { apiRole } from "./apiRole/apiRole";
export { branch } from "./branch/branch";
export { ipAllow } from "./ipAllow/ipAllow";
export { logicalReplication, logicalReplicationKind } from "./logicalReplication/logicalReplication";
export { connectTo } from "./target/connection";
export { DatabaseNotFound, resolveTarget, TargetGone } from "./target/resolve";
