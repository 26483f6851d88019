import * as pulumi from "@pulumi/pulumi";
import { ApiRole } from "./generated/apiRole";
import { IpAllow } from "./generated/ipAllow";
import { LogicalReplication } from "./generated/logicalReplication";
import { Publication } from "./generated/publication";
import { ReadAccess } from "./generated/readAccess";
import { Readiness } from "./generated/readiness";
import { ReplicaIdentity } from "./generated/replicaIdentity";
import { ReplicationRole } from "./generated/replicationRole";
import { ReplicationSlot } from "./generated/replicationSlot";
import type { SelectionArgs } from "./generated/shared";
import type { Place } from "./place";
import {
  TRAIL_DEFAULTS,
  type BemiAuditTrailArgs,
  type BemiConnection,
  type BemiEndpoint,
  type BemiStatus,
} from "./generated/trailTypes";
import { declareMigrations } from "./migrations";

/** Outputs of the component `BemiAuditTrail`, whose class says what each of them means. */
interface Trail {
  readonly connection: pulumi.Output<BemiConnection>;
  readonly endpoint: pulumi.Output<BemiEndpoint>;
  readonly status: pulumi.Output<BemiStatus>;
  readonly debezium: pulumi.Output<Record<string, string>>;
}

/** Declares the resources of the component `BemiAuditTrail`, which is their parent. */
export function declareTrail(parent: pulumi.Resource, name: string, { args, ownBranch }: Place): Trail {
  const { projectId, branch, database, identity, trackNewTables, adopt } = args;
  const target = { projectId, branch, database };
  const selection = selectionOf(args);
  const [roleName, publicationName] = [`${name}-role`, `${name}-publication`];
  const createdBy = args.role?.createdBy ?? TRAIL_DEFAULTS.createdBy;
  // Not the output of the role's resource, which a preview may not know yet: what has the name would seem to be replaced.
  const username = args.role?.name ?? TRAIL_DEFAULTS.role;

  // Each resource waits for the one before it, whether or not it needs a value of it: the order is the safety.
  let last: pulumi.Resource | undefined;
  const next = (): pulumi.CustomResourceOptions => ({
    parent,
    ...(last === undefined ? {} : { dependsOn: [last] }),
  });
  const then = <R extends pulumi.Resource>(resource: R): R => {
    last = resource;
    return resource;
  };

  const replication = then(
    new LogicalReplication(
      `${name}-replication`,
      {
        ...target,
        mode: args.logicalReplication,
        preflight: {
          ...selection,
          identity,
          role: args.role?.name,
          roleCreatedBy: createdBy,
          roleManagedBy: declaredAs(roleName),
          publication: args.publication,
          publicationManagedBy: declaredAs(publicationName),
          slot: args.slot,
          adopt,
          migrations: args.migrations === undefined ? undefined : true,
        },
        allowedIps: args.allowedIps,
      },
      next(),
    ),
  );

  const migrations =
    args.migrations === undefined
      ? undefined
      : declareMigrations(`${name}-migrations`, args.migrations, target, next());
  if (migrations !== undefined) then(migrations.command);
  const after = migrations?.fingerprint;

  const login = { ...target, name: args.role?.name, passwordVersion: args.role?.passwordVersion, adopt };
  const role = then(
    createdBy === "api"
      ? new ApiRole(roleName, { ...login, ...(ownBranch ? { renewPassword: true } : {}) }, next())
      : new ReplicationRole(roleName, login, next()),
  );

  if (args.readAccess ?? createdBy === "sql") {
    then(
      new ReadAccess(
        `${name}-access`,
        { ...target, ...selection, role: username, migrations: after },
        next(),
      ),
    );
  }

  const identities = then(
    new ReplicaIdentity(
      `${name}-identity`,
      { ...target, ...selection, identity, publication: args.publication, trackNewTables, migrations: after },
      next(),
    ),
  );
  const publication = then(
    new Publication(
      publicationName,
      { ...target, ...selection, identity, name: args.publication, trackNewTables, adopt, migrations: after },
      next(),
    ),
  );
  const slot = then(
    new ReplicationSlot(
      `${name}-slot`,
      { ...target, name: args.slot, role: username, dropOnDestroy: args.dropSlotOnDestroy },
      next(),
    ),
  );
  const readiness = then(
    new Readiness(
      `${name}-readiness`,
      {
        ...target,
        ...selection,
        identity,
        role: username,
        publication: args.publication,
        slot: args.slot,
        trackNewTables,
        migrations: after,
        after: [identities.fingerprint, publication.fingerprint],
      },
      next(),
    ),
  );

  if (args.allowedIps !== undefined) {
    const { restrictOpenProject, openRestrictedProject } = args;
    const ips = args.allowedIps;
    const { ipAllowLacked: lackedBefore, ipAllowWasOpen: wasOpenBefore } = replication;
    new IpAllow(
      `${name}-ip-allow`,
      { projectId, ips, restrictOpenProject, openRestrictedProject, lackedBefore, wasOpenBefore },
      next(),
    );
  }

  return {
    connection: connectionOf(role, database, args.environment ?? TRAIL_DEFAULTS.environment),
    endpoint: pulumi.output({ host: role.host, port: role.port, database, username: role.username }),
    status: statusOf(readiness),
    debezium: debeziumOf(slot, publication),
  };
}

/** How preflight, and the marks on objects in the database, name a resource of the trail. */
function declaredAs(name: string): string {
  return `${pulumi.getProject()}/${pulumi.getStack()}/${name}`;
}

/** The selection as given, or the default schemas. */
function selectionOf(args: BemiAuditTrailArgs): SelectionArgs {
  const { excludeTables } = args;
  if (args.tables !== undefined) return { tables: args.tables, excludeTables };
  if (args.allTables !== undefined) return { allTables: args.allTables, excludeTables };
  return { schemas: args.schemas ?? [...TRAIL_DEFAULTS.schemas], excludeTables };
}

function connectionOf(
  role: ApiRole | ReplicationRole,
  database: BemiAuditTrailArgs["database"],
  environment: NonNullable<BemiAuditTrailArgs["environment"]>,
): Trail["connection"] {
  const { host, port, username, password } = role;
  const fields = pulumi.output({ host, port, database, username, password, environment });
  return pulumi.secret(fields.apply((known) => ({ ...known, uri: connectionUri(known) })));
}

function connectionUri(parts: Omit<BemiConnection, "environment" | "uri">): string {
  const { host, port, database, username, password } = parts;
  const credentials = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
  return `postgresql://${credentials}@${host}:${port}/${encodeURIComponent(database)}?sslmode=require`;
}

function statusOf(readiness: Readiness): Trail["status"] {
  const {
    ready,
    walLevel,
    serverVersion,
    selected,
    published,
    full,
    keyIdentity,
    slotState,
    newTables,
    degraded,
  } = readiness;
  return pulumi.output({
    ready,
    walLevel,
    serverVersion,
    selected,
    published,
    full,
    keyIdentity,
    slotState,
    newTables,
    degraded,
  });
}

function debeziumOf(slot: ReplicationSlot, publication: Publication): Trail["debezium"] {
  return pulumi
    .all([slot.name, publication.name])
    .apply(([slotName, publicationName]): Record<string, string> => ({
      "debezium.source.plugin.name": "pgoutput",
      "debezium.source.slot.name": slotName,
      "debezium.source.publication.name": publicationName,
      "debezium.source.publication.autocreate.mode": "disabled",
    }));
}
