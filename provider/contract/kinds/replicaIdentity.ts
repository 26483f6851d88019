import * as z from "zod";
import { define } from "../definition";
import { coverageOutputs } from "../fields/coverage";
import { afterMigrations } from "../fields/migrations";
import { managedBy, publicationName } from "../fields/names";
import { newTables, ownershipId } from "../fields/states";
import { identity } from "../fields/identity";
import { ONE_SELECTION, oneSelection, selection, trackNewTables } from "../fields/selection";
import { databaseTarget } from "../fields/target";

export const replicaIdentityInputs = z
  .strictObject({
    ...databaseTarget,
    ...selection,
    identity,
    trackNewTables,
    // Its name separates the records of two trails in one database.
    publication: publicationName,
    migrations: afterMigrations,
    managedBy,
  })
  .refine(oneSelection, ONE_SELECTION);

export const replicaIdentityOutputs = z.object({ ...coverageOutputs, newTables, ownershipId });

export const replicaIdentityDefinition = define({
  type: "ReplicaIdentity",
  description: `Sets REPLICA IDENTITY FULL on the selected tables and their partitions, so that every change carries the whole row
as it was before. Tables that \`identity\` asks to keep their key are left alone. The identity that each table had before is recorded in the database, in the comment of the schema \`_bemi\`.
It is put back on destroy, or when the table leaves the selection.`,
  inputs: replicaIdentityInputs,
  outputs: replicaIdentityOutputs,
  replaceOn: ["projectId", "branch", "database", "publication"],
});

export type ReplicaIdentityInputs = z.output<typeof replicaIdentityInputs>;
export type ReplicaIdentityOutputs = z.output<typeof replicaIdentityOutputs>;
