import * as z from "zod";
import { define } from "../definition";
import { coverageOutputs } from "../fields/coverage";
import { afterMigrations } from "../fields/migrations";
import { managedBy, publicationName } from "../fields/names";
import { identity } from "../fields/identity";
import { ONE_SELECTION, oneSelection, selection, trackNewTables } from "../fields/selection";
import { ownershipId } from "../fields/states";
import { databaseTarget } from "../fields/target";
import { flag } from "../fields/values";

export const publicationInputs = z
  .strictObject({
    ...databaseTarget,
    name: publicationName,
    ...selection,
    identity,
    trackNewTables,
    adopt: flag().default(false).meta({
      description:
        "Takes over a publication of this name that exists already, and leaves it in place on destroy.",
    }),
    migrations: afterMigrations,
    managedBy,
  })
  .refine(oneSelection, ONE_SELECTION);

export const publicationOutputs = z.object({
  ...coverageOutputs,
  created: z.boolean().meta({
    description: "Whether this resource made the publication; an adopted one survives a destroy.",
  }),
  ownershipId,
});

export const publicationDefinition = define({
  type: "Publication",
  description: `The publication of the selected tables. UPDATE and DELETE fail on a published table without a replica identity, so
only tables that have one are ever in the publication. Declare it after a \`ReplicaIdentity\` (\`dependsOn\`) of the same
selection and \`identity\`.`,
  inputs: publicationInputs,
  outputs: publicationOutputs,
  replaceOn: ["projectId", "branch", "database", "name"],
  unplanned: ({ adopt }) =>
    adopt === true ? "A publication of this name that exists on the branch is taken over." : undefined,
  readBack: ["name"],
});

export type PublicationInputs = z.output<typeof publicationInputs>;
export type PublicationOutputs = z.output<typeof publicationOutputs>;
