import * as z from "zod";
import { define } from "../definition";
import { identity } from "../fields/identity";
import { managedBy, publicationName, roleName, slotName } from "../fields/names";
import { roleCreatedBy } from "../fields/role";
import { ONE_SELECTION, oneSelection, selection } from "../fields/selection";
import { ipEntry } from "../fields/ipEntries";
import { branchTarget, databaseTarget, recordedTarget } from "../fields/target";
import { choice, filledList, flag } from "../fields/values";

/** What a whole trail is going to make, so that every obstacle is found before the first write of any resource. */
const preflightInputs = z
  .strictObject({
    ...selection,
    identity,
    role: roleName,
    roleCreatedBy,
    roleManagedBy: managedBy.meta({
      description:
        "The resource that makes the role, `<project>/<stack>/<name>`: it tells the trail's own role from somebody else's.",
      filledInBy: "component",
    }),
    publication: publicationName,
    publicationManagedBy: managedBy.meta({
      description: "The resource that makes the publication, `<project>/<stack>/<name>`.",
      filledInBy: "component",
    }),
    slot: slotName,
    adopt: flag().default(false).meta({
      description: "Whether a role and a publication that exist already are taken over.",
    }),
    migrations: flag().optional().meta({
      description:
        "Whether migrations run before the tables are tracked: then tables and schemas that do not exist yet are no obstacle.",
      whenOmitted: "no migrations run",
    }),
  })
  .refine(oneSelection, ONE_SELECTION)
  .meta({
    description: "What a whole trail is going to make, from the arguments of `BemiAuditTrail`.",
    typeName: "PreflightArgs",
  });

export const logicalReplicationInputs = z.strictObject({
  ...branchTarget,
  database: databaseTarget.database.optional().meta({
    description:
      "A database to check before anything is changed: project, branch, endpoint, database and the connection to it.",
    whenOmitted: "none, and then only the project's setting is checked",
  }),
  mode: choice(["enable", "require"]).default("enable").meta({
    description:
      '`"enable"` turns logical replication on where it is off: that restarts all computes of the project, so every connection drops once, and cannot be undone. `"require"` never changes the setting, and fails where it is off.',
  }),
  preflight: preflightInputs.optional().meta({
    description:
      "What a whole trail is going to make. Obstacles to it are looked for in `database` before anything is changed.",
    whenOmitted: "none",
    filledInBy: "component",
  }),
  allowedIps: filledList(ipEntry()).optional().meta({
    description:
      "The entries that `IpAllow` of the trail adds later. Which of them the list lacks is recorded here, before they are added.",
    whenOmitted: "none",
    filledInBy: "component",
  }),
});

export const logicalReplicationOutputs = z.object({
  walLevel: z.literal("logical").meta({
    description:
      "What `SHOW wal_level` said once the computes were back; without a database, what the project's setting stands for.",
  }),
  enabledHere: z.boolean().meta({ description: "Whether this resource turned logical replication on." }),
  ipAllowLacked: z.array(z.string()).readonly().meta({
    description:
      "The entries of `allowedIps` that the IP Allow list lacked when they were first asked for. An `up` that is killed right after it has added them leaves no other trace of who did.",
  }),
  ipAllowWasOpen: z.boolean().meta({
    description: "Whether the IP Allow list was empty then, so open to everyone.",
  }),
  ...z.object(recordedTarget).partial().shape,
});

export const logicalReplicationDefinition = define({
  type: "LogicalReplication",
  description: `Neon's project setting \`enable_logical_replication\`, which means \`wal_level=logical\` on all computes. Destroying this
resource changes nothing, because Neon cannot turn the setting off again.`,
  inputs: logicalReplicationInputs,
  outputs: logicalReplicationOutputs,
  // Branch and database only say where the setting is verified.
  replaceOn: ["projectId"],
  unplanned: ({ mode }) =>
    mode === "require"
      ? undefined
      : "If logical replication of the project is off, this turns it on: all computes of the project restart, every connection drops once, and it cannot be undone.",
});

export type PreflightInputs = z.output<typeof preflightInputs>;
export type LogicalReplicationInputs = z.output<typeof logicalReplicationInputs>;
export type LogicalReplicationOutputs = z.output<typeof logicalReplicationOutputs>;
