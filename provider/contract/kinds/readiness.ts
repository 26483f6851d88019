import * as z from "zod";
import { define } from "../definition";
import { afterMigrations } from "../fields/migrations";
import { existingRole, publicationName, slotName } from "../fields/names";
import { newTables, slotState } from "../fields/states";
import { identity } from "../fields/identity";
import { ONE_SELECTION, oneSelection, selection, trackNewTables } from "../fields/selection";
import { databaseTarget, recordedTarget } from "../fields/target";
import { list, text } from "../fields/values";

export const readinessInputs = z
  .strictObject({
    ...databaseTarget,
    ...selection,
    identity,
    role: existingRole.meta({ description: "The role whose rights and attributes are verified." }),
    publication: publicationName,
    slot: slotName,
    trackNewTables,
    after: list(text()).default([]).meta({
      description:
        "Fingerprints of the resources to verify: a change of one makes the next `up` verify again.",
      triggerOnly: true,
    }),
    migrations: afterMigrations,
  })
  .refine(oneSelection, ONE_SELECTION);

/** What was verified: also the status of a whole trail. */
export const verified = {
  ready: z.boolean().meta({ description: "Whether every change can be streamed with the row before it." }),
  walLevel: z.string().meta({ description: "`wal_level` of the server." }),
  serverVersion: z.string().meta({ description: "Version of PostgreSQL, e.g. `17.5`." }),
  selected: z.number().meta({ description: "Number of selected tables." }),
  published: z.number().meta({ description: "How many of the selected tables are published." }),
  full: z.number().meta({
    description: "How many of the selected tables have the replica identity FULL.",
  }),
  keyIdentity: z.number().meta({
    description:
      "How many of the selected tables keep the identity that names a row by its key: because of `identity`, or because FULL is ruled out.",
  }),
  slotState,
  newTables,
  degraded: z.array(z.string()).readonly().meta({
    description: "What works with limits, by table or object, with the reason; at most twenty.",
  }),
};

export const readinessOutputs = z.object({ ...verified, ...recordedTarget });

export const readinessDefinition = define({
  type: "Readiness",
  description: `Verifies that a consumer can stream every change with the row before it: settings, role, publication, identities. What
blocks fails the \`up\` with the whole list; what only limits is reported in \`degraded\`.`,
  inputs: readinessInputs,
  outputs: readinessOutputs,
  replaceOn: ["projectId", "branch", "database"],
});

export type ReadinessInputs = z.output<typeof readinessInputs>;
export type ReadinessOutputs = z.output<typeof readinessOutputs>;
