import * as z from "zod";
import { roleCreatedBy } from "./fields/role";
import { atMostOneSelection, ONE_SELECTION, selection, trackNewTables } from "./fields/selection";
import { identity } from "./fields/identity";
import { databaseTarget } from "./fields/target";
import { BEMI } from "./fields/names";
import { filledText, flag, group } from "./fields/values";
import { ipAllowInputs } from "./kinds/ipAllow";
import { logicalReplicationInputs } from "./kinds/logicalReplication";
import { publicationInputs } from "./kinds/publication";
import { verified } from "./kinds/readiness";
import { replicationRoleInputs, replicationRoleOutputs } from "./kinds/replicationRole";
import { replicationSlotInputs } from "./kinds/replicationSlot";

/**
 * The component `BemiAuditTrail`: its arguments are fields of the kinds, so that a check, a default and a text have
 * one place. A text is given anew only where the argument says more, or other, than the field of the kind.
 */

/**
 * What the component itself does without an argument. The defaults of all other arguments are filled in by the check
 * of the resource that gets them.
 */
export const trailDefaults = {
  environment: "Production",
  schemas: ["public"],
  createdBy: roleCreatedBy.def.defaultValue,
  role: BEMI,
} as const;

const { host, port, username, password } = replicationRoleOutputs.shape;

const environment = z
  .enum(["Production", "Staging", "Test"], "must be Production, Staging or Test, as in Bemi's dialog")
  .meta({
    description:
      "Bemi's own field for what a database is used for. Handed over in `connection`; it changes nothing in the database.",
    typeName: "BemiEnvironment",
  });

const role = group({
  name: replicationRoleInputs.shape.name,
  createdBy: roleCreatedBy.meta({ plain: true }),
  passwordVersion: replicationRoleInputs.shape.passwordVersion,
}).meta({ description: "The role that Bemi connects with.", typeName: "BemiRoleArgs" });

const migrations = group({
  command: filledText("the command that migrates the database, e.g. npx prisma migrate deploy").meta({
    description:
      "A line for the system's shell, e.g. `npx prisma migrate deploy`. It runs in the folder of the Pulumi project, with `DATABASE_URL` of the database's owner in its environment.",
  }),
  triggers: z.array(z.unknown(), "must be a list").optional().meta({
    description:
      "The command runs again when one of these values changes: for example a hash of the folder with the migrations.",
    whenOmitted: "none: the command runs once, and again when it changes itself",
  }),
}).meta({
  description: "Migrations that run before the tables are tracked.",
  typeName: "BemiMigrationsArgs",
});

export const trailInputs = z
  .strictObject({
    ...databaseTarget,
    branch: databaseTarget.branch.meta({
      description:
        "Name of the branch, or its `br-` id. Naming the same branch in another way is no change. In TypeScript also a `Branch` of the program: then a role and a publication that came along with the copy are taken over without `adopt`, and the role gets a new password on that branch. In other languages, give its `branchId`, and set `adopt`.",
      whenOmitted: "the project's default branch",
      resource: "Branch",
    }),
    environment: environment.default(trailDefaults.environment),
    ...selection,
    schemas: selection.schemas.meta({
      whenOmitted: `\`${JSON.stringify(trailDefaults.schemas)}\`, unless \`tables\` or \`allTables\` is given`,
    }),
    trackNewTables,
    identity,
    role: role.optional().meta({
      description: "The role that Bemi connects with, and how it is made.",
      whenOmitted: "the defaults of its fields",
      plain: true,
    }),
    readAccess: flag().optional().meta({
      description: "Grants the role SELECT on the selected tables. Streaming does not need it.",
      whenOmitted: '`true` with `createdBy: "sql"`, `false` with `createdBy: "api"`',
      plain: true,
    }),
    publication: publicationInputs.shape.name,
    slot: replicationSlotInputs.shape.name,
    allowedIps: ipAllowInputs.shape.ips.optional().meta({
      description:
        "Bemi's static addresses (ask hi@bemi.io), each as IPv4 or IPv6 address, CIDR block, or range `first-last`.",
      whenOmitted: "Neon's IP Allow list is left alone",
    }),
    restrictOpenProject: ipAllowInputs.shape.restrictOpenProject,
    openRestrictedProject: ipAllowInputs.shape.openRestrictedProject,
    logicalReplication: logicalReplicationInputs.shape.mode,
    migrations: migrations.optional().meta({
      description:
        "Runs a command that creates or changes tables, after logical replication is on and before anything is tracked. It needs `NEON_API_KEY` in the environment, and Pulumi's plugin `command`.",
      whenOmitted: "no command runs",
      plain: true,
    }),
    adopt: publicationInputs.shape.adopt.meta({
      description:
        "Takes over a role and a publication of these names that exist already, and leaves them in place on destroy.",
      whenOmitted: "`false`; `true` where `branch` is a `Branch` of the program",
    }),
    dropSlotOnDestroy: replicationSlotInputs.shape.dropOnDestroy,
  })
  .refine(atMostOneSelection, ONE_SELECTION);

export const trailOutputs = z.object({
  connection: z
    .object({
      host,
      port,
      database: databaseTarget.database.meta({ description: "Name of the database." }),
      username,
      password,
      environment,
      uri: z.string().meta({ description: "All of it but the environment as one `postgresql://` URI." }),
    })
    .meta({
      description: 'The fields of Bemi\'s dialog "Connect PostgreSQL Database", and the same as a URI.',
      typeName: "BemiConnection",
      secret: true,
    }),
  endpoint: z
    .object({
      host,
      port,
      database: databaseTarget.database.meta({ description: "Name of the database." }),
      username,
    })
    .meta({
      description: "What of `connection` is no secret.",
      typeName: "BemiEndpoint",
    }),
  status: z.object(verified).meta({
    description: "What `Readiness` verified.",
    typeName: "BemiStatus",
  }),
  debezium: z.record(z.string(), z.string()).meta({
    description:
      "Properties for a self-hosted Bemi worker (Debezium). Without them it makes a publication of its own for all tables.",
  }),
});

export const trailDefinition = {
  type: "BemiAuditTrail",
  description: `Everything Bemi needs for an automatic audit trail of a Neon database, in an order that never makes your
application's writes fail: logical replication, role, read access, replica identity, publication, slot watch,
readiness. IP Allow comes last, when all SQL has run. A destroy goes the other way and puts everything back, except
the project's logical replication, which Neon cannot turn off.`,
  inputs: trailInputs,
  outputs: trailOutputs,
} as const;
