/** The door of this room: other rooms import from here only. */
export { createNeonApi } from "./api/client";
export { apiRole } from "./apiRole/apiRole";
export { ipAllow } from "./ipAllow/ipAllow";
export { logicalReplication, logicalReplicationKind } from "./logicalReplication/logicalReplication";
export { connectTo } from "./target/connection";
export { resolveTarget } from "./target/resolve";
