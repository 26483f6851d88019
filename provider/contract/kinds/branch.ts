import * as z from "zod";
import { define } from "../definition";
import { managedBy } from "../fields/names";
import { ownershipId } from "../fields/states";
import { projectTarget, recordedTarget } from "../fields/target";
import { filledText, flag } from "../fields/values";
import { roleOutputs } from "../fields/role";

/** Neon keeps a branch that expires for at most this long, in hours: 30 days. */
const LONGEST_LIFE = 720;

export const branchInputs = z.strictObject({
  ...projectTarget,
  name: filledText("the name of the new branch, e.g. pr-7")
    .max(256, "must be at most 256 characters")
    .refine((name) => !name.startsWith("br-"), "must not begin with br-, as the ids of branches do")
    .meta({
      description: "Name of the new branch, e.g. `pr-7`. No other branch of the project may have it.",
    }),
  parent: filledText().optional().meta({
    description: "Name of the branch to copy, or its `br-` id.",
    whenOmitted: "the project's default branch",
  }),
  schemaOnly: flag().default(false).meta({
    description:
      "Copies the schema without the rows. To Neon, such a branch is a root branch, of which a project may have a few only.",
  }),
  expiresInHours: z
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .max(LONGEST_LIFE, `must be at most ${LONGEST_LIFE}, which is 30 days`)
    .optional()
    .meta({
      description:
        "Hours after which Neon deletes the branch, counted from its creation, 1 to 720; a change counts from the `up` that makes it. The next `up` makes a branch again that has expired.",
      whenOmitted: "the branch does not expire",
    }),
  managedBy,
});

export const branchOutputs = z.object({
  branchId: z
    .string()
    .meta({ description: "Id of the branch, `br-...`. Give it to other resources as `branch`." }),
  endpointId: recordedTarget.endpointId,
  host: roleOutputs.shape.host,
  port: roleOutputs.shape.port,
  parentId: z.string().optional().meta({
    description:
      "Id of the branch that was copied; not set for a branch with the schema only whose creation was interrupted.",
  }),
  createdAt: z.string().optional().meta({
    description: "When Neon made the branch, by Neon's clock; not set where Neon does not say.",
  }),
  expiresAt: z.string().optional().meta({
    description: "When Neon deletes the branch; not set for a branch that does not expire.",
  }),
  ownershipId,
});

export const branchDefinition = define({
  type: "Branch",
  description: `A Neon branch made for the stack, with a read-write compute: for tests and pull requests. Give it to
\`BemiAuditTrail\` as \`branch\`. It is never protected.

A destroy deletes the branch with everything on it, if this resource made it, and if it is neither the default branch
nor protected nor the parent of others. Branches that this resource did not make are never deleted.`,
  inputs: branchInputs,
  outputs: branchOutputs,
  replaceOn: ["projectId", "name", "parent", "schemaOnly"],
  readBack: ["name"],
  // Two branches of a project cannot have the same name.
  deleteBeforeReplace: true,
});

export type BranchInputs = z.output<typeof branchInputs>;
export type BranchOutputs = z.output<typeof branchOutputs>;
