export { withVerifiedLogin } from "./login";
export { inspect } from "./preflight";
export { publication } from "./publication";
export { readAccess } from "./readAccess";
export { readiness } from "./readiness";
export { replicaIdentity } from "./replicaIdentity";
export { replicationRole } from "./replicationRole";
export { replicationSlot } from "./replicationSlot";
export { Sessions, type Session } from "./session";
