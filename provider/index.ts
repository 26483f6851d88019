import { adapt, silenceHost } from "./plugin/adapter";
import { assertFresh } from "./plugin/freshness";
import { systemClock } from "./contract/clock";
import { apiRole as apiRoleKind, ipAllow as ipAllowKind, logicalReplicationKind } from "./neon";
import * as sql from "./postgres";
import { createHost } from "./plugin/host";

// The plugin process loads this file through the one-line reference in each resource's inputs.
assertFresh();
silenceHost(console);

const host = createHost({
  environment: process.env,
  engineAddress: process.argv[2],
  print: (line) => {
    console.log(line);
  },
});

export const logicalReplication = adapt(logicalReplicationKind(systemClock, sql.inspect), host);
export const apiRole = adapt(sql.withVerifiedLogin(apiRoleKind), host);
export const ipAllow = adapt(ipAllowKind, host);
export const replicationRole = adapt(sql.replicationRole, host);
export const readAccess = adapt(sql.readAccess, host);
export const replicaIdentity = adapt(sql.replicaIdentity, host);
export const publication = adapt(sql.publication, host);
export const replicationSlot = adapt(sql.replicationSlot, host);
export const readiness = adapt(sql.readiness, host);
