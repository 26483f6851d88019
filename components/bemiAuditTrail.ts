import * as pulumi from "@pulumi/pulumi";
import type { DatabaseArgs, SelectionArgs } from "./args";
import { ApiRole } from "./apiRole";
import { managedBy } from "./binding";
import { IpAllow } from "./ipAllow";
import { LogicalReplication } from "./logicalReplication";
import { Publication } from "./publication";
import { ReadAccess } from "./readAccess";
import { Readiness } from "./readiness";
import { ReplicaIdentity } from "./replicaIdentity";
import { ReplicationRole } from "./replicationRole";
import { ReplicationSlot } from "./replicationSlot";

/** Bemi's own field for what a database is used for. */
export type BemiEnvironment = "Production" | "Staging" | "Test";

export interface BemiRoleArgs {
  /** Default: `bemi`. */
  name?: pulumi.Input<string>;
  /**
   * `"sql"` (default): a dedicated role, LOGIN REPLICATION and read-only; PostgreSQL 16 or newer. `"api"`: a role made
   * through Neon's API, which can also **write** all tables and bypass row security; for PostgreSQL 14 and 15.
   */
  createdBy?: "sql" | "api";
  /** Any change of this number sets a new password, which Bemi has to be given. */
  passwordVersion?: pulumi.Input<number>;
}

/** What to track, and how. Where neither `schemas`, `tables` nor `allTables` is given, it is the schema `public`. */
export interface BemiAuditTrailArgs extends DatabaseArgs, SelectionArgs {
  /** Default: `"Production"`. Handed over in `connection`; it changes nothing in the database. */
  environment?: pulumi.Input<BemiEnvironment>;
  /** Tracks new tables from their first row where the server allows event triggers; else the next up does. Default: true. */
  trackNewTables?: pulumi.Input<boolean>;
  /** The role Bemi connects with. */
  role?: BemiRoleArgs;
  /** Grants the role SELECT on the tracked tables; streaming does not need it. Default: true for `createdBy: "sql"`. */
  readAccess?: boolean;
  /** Name of the publication. Default: `bemi`, which Bemi Cloud expects. */
  publication?: pulumi.Input<string>;
  /** Name of the replication slot Bemi makes. Default: `bemi`, which Bemi Cloud expects. */
  slot?: pulumi.Input<string>;
  /** Bemi's static addresses (ask hi@bemi.io). Left out: Neon's IP Allow list is left alone. */
  allowedIps?: string[];
  /** See {@link IpAllow}. Default: false. */
  restrictOpenProject?: pulumi.Input<boolean>;
  /** See {@link IpAllow}. Default: false. */
  openRestrictedProject?: pulumi.Input<boolean>;
  /** `"require"` never touches the project's setting, and fails where it is off. Default: `"enable"`. */
  logicalReplication?: pulumi.Input<"enable" | "require">;
  /** Takes over a role and a publication that exist already, and leaves them in place on destroy. Default: false. */
  adopt?: pulumi.Input<boolean>;
  /** Stops Bemi's consumer and drops its slot on destroy. Default: false. */
  dropSlotOnDestroy?: pulumi.Input<boolean>;
}

/** The fields of Bemi's dialog "Connect PostgreSQL Database", and the same as a URI. */
export interface BemiConnection {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  readonly environment: BemiEnvironment;
  readonly uri: string;
}

/** What {@link Readiness} verified. */
export interface BemiStatus {
  readonly ready: boolean;
  readonly walLevel: string;
  readonly serverVersion: string;
  readonly publishedTables: string;
  readonly fullIdentity: string;
  readonly slotState: string;
  readonly newTables: string;
  readonly degraded: string[];
}

/**
 * Everything Bemi needs for an automatic audit trail of a Neon database, in the order that never breaks the
 * application: logical replication, role, read access, replica identity, publication, slot watch, readiness, and IP
 * Allow last, when all SQL has run. A destroy goes the other way and puts everything back but the project's logical
 * replication, which Neon cannot turn off.
 */
export class BemiAuditTrail extends pulumi.ComponentResource {
  /** Secret. The fields of Bemi's dialog. */
  readonly connection: pulumi.Output<BemiConnection>;
  readonly status: pulumi.Output<BemiStatus>;
  /** Properties for a self-hosted Bemi worker, which would else make a publication of its own. */
  readonly debezium: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: BemiAuditTrailArgs, opts?: pulumi.ComponentResourceOptions) {
    super("neon-bemi:index:BemiAuditTrail", name, {}, opts);

    const { projectId, branch, database, trackNewTables, adopt } = args;
    const target = { projectId, branch, database };
    const selection = selectionOf(args);
    const publicationName = args.publication ?? "bemi";
    const slotName = args.slot ?? "bemi";
    const roleName = args.role?.name ?? "bemi";
    const createdBy = args.role?.createdBy ?? "sql";

    // Each resource waits for the one before it, whether or not it needs a value of it: the order is the safety.
    let last: pulumi.Resource | undefined;
    const next = (): pulumi.CustomResourceOptions => ({
      parent: this,
      ...(last === undefined ? {} : { dependsOn: [last] }),
    });
    const then = <R extends pulumi.Resource>(resource: R): R => {
      last = resource;
      return resource;
    };

    then(
      new LogicalReplication(
        `${name}-logical-replication`,
        {
          ...target,
          mode: args.logicalReplication,
          preflight: {
            ...selection,
            role: roleName,
            roleCreatedBy: createdBy,
            roleManagedBy: managedBy(`${name}-role`),
            publication: publicationName,
            publicationManagedBy: managedBy(`${name}-publication`),
            slot: slotName,
            adopt: adopt ?? false,
          },
        },
        next(),
      ),
    );

    const Role = createdBy === "api" ? ApiRole : ReplicationRole;
    const role = then(
      new Role(
        `${name}-role`,
        { ...target, name: roleName, passwordVersion: args.role?.passwordVersion, adopt },
        next(),
      ),
    );

    if (args.readAccess ?? createdBy === "sql") {
      then(new ReadAccess(`${name}-read-access`, { ...target, ...selection, role: role.username }, next()));
    }

    const identity = then(
      new ReplicaIdentity(
        `${name}-replica-identity`,
        { ...target, ...selection, publication: publicationName, trackNewTables },
        next(),
      ),
    );
    const publication = then(
      new Publication(
        `${name}-publication`,
        { ...target, ...selection, name: publicationName, trackNewTables, adopt },
        next(),
      ),
    );
    then(
      new ReplicationSlot(
        `${name}-slot`,
        { ...target, name: slotName, role: role.username, dropOnDestroy: args.dropSlotOnDestroy },
        next(),
      ),
    );
    const readiness = then(
      new Readiness(
        `${name}-readiness`,
        {
          ...target,
          ...selection,
          role: role.username,
          publication: publicationName,
          slot: slotName,
          trackNewTables,
          after: [identity.fingerprint, publication.fingerprint],
        },
        next(),
      ),
    );

    if (args.allowedIps !== undefined) {
      const { restrictOpenProject, openRestrictedProject } = args;
      const ips = args.allowedIps;
      new IpAllow(`${name}-ip-allow`, { projectId, ips, restrictOpenProject, openRestrictedProject }, next());
    }

    this.connection = pulumi.secret(
      pulumi
        .all([role.host, role.port, database, role.username, role.password, args.environment ?? "Production"])
        .apply(([host, port, databaseName, username, password, environment]) => ({
          host,
          port,
          database: databaseName,
          username,
          password,
          environment,
          uri: connectionUri({ host, port, database: databaseName, username, password }),
        })),
    );
    this.status = pulumi.output({
      ready: readiness.ready,
      walLevel: readiness.walLevel,
      serverVersion: readiness.serverVersion,
      publishedTables: readiness.publishedTables,
      fullIdentity: readiness.fullIdentity,
      slotState: readiness.slotState,
      newTables: readiness.newTables,
      degraded: readiness.degraded,
    });
    this.debezium = pulumi
      .all([slotName, publicationName])
      .apply(([slot, publication]): Record<string, string> => ({
        "debezium.source.plugin.name": "pgoutput",
        "debezium.source.slot.name": slot,
        "debezium.source.publication.name": publication,
        "debezium.source.publication.autocreate.mode": "disabled",
      }));
    this.registerOutputs({ connection: this.connection, status: this.status, debezium: this.debezium });
  }
}

/** The selection as given, or the schema `public`. */
function selectionOf(args: SelectionArgs): SelectionArgs {
  const { schemas, tables, allTables, excludeTables } = args;
  const nothing = schemas === undefined && tables === undefined && allTables === undefined;
  return { schemas: nothing ? ["public"] : schemas, tables, allTables, excludeTables };
}

function connectionUri(parts: Omit<BemiConnection, "environment" | "uri">): string {
  const { host, port, database, username, password } = parts;
  const credentials = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
  return `postgresql://${credentials}@${host}:${port}/${encodeURIComponent(database)}?sslmode=require`;
}
