import * as z from "zod";
import { define } from "../definition";
import { afterMigrations } from "../fields/migrations";
import { existingRole } from "../fields/names";
import { ONE_SELECTION, oneSelection, selection } from "../fields/selection";
import { databaseTarget, recordedTarget } from "../fields/target";

export const readAccessInputs = z
  .strictObject({
    ...databaseTarget,
    role: existingRole.meta({ description: "The role that may read." }),
    ...selection,
    migrations: afterMigrations,
  })
  .refine(oneSelection, ONE_SELECTION);

export const readAccessOutputs = z.object({
  readable: z.int().meta({ description: "How many of the selected tables the role can read." }),
  wanted: z.int().meta({ description: "Number of selected tables." }),
  roleOid: z.int().optional().meta({
    description:
      "Oid of the role, if this module made it, so that whatever it holds was granted here. After a change of the database's owner only this tells.",
  }),
  ...recordedTarget,
});

export const readAccessDefinition = define({
  type: "ReadAccess",
  description: `Lets a role read the selected tables: USAGE on their schemas, SELECT on the tables that exist, and default privileges
for tables that are made later. Streaming changes does not need it; snapshots and a data browser do. Only what this
resource granted is revoked on destroy.`,
  inputs: readAccessInputs,
  outputs: readAccessOutputs,
  replaceOn: ["projectId", "branch", "database", "role"],
});

export type ReadAccessInputs = z.output<typeof readAccessInputs>;
export type ReadAccessOutputs = z.output<typeof readAccessOutputs>;
