export { withVerifiedLogin } from "./session/login";
export { inspect } from "./readiness/preflight";
export { publication } from "./publication/publication";
export { readAccess } from "./access/readAccess";
export { readiness } from "./readiness/readiness";
export { replicaIdentity } from "./identity/replicaIdentity";
export { replicationRole } from "./role/replicationRole";
export { replicationSlot } from "./slot/replicationSlot";
export { Sessions, type DatabaseTarget } from "./session/sessions";
