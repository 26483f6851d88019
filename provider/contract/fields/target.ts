import * as z from "zod";
import { filledText, objectName, text } from "./values";

const projectId = text("the Neon project's id, e.g. cool-darkness-123456")
  .regex(/^[a-z0-9-]{1,60}$/, "must be a Neon id: lower-case letters, digits and hyphens")
  .meta({ description: "Id of the Neon project, e.g. `cool-darkness-123456`." });

const branch = filledText().optional().meta({
  description: "Name of the branch, or its `br-` id. Naming the same branch in another way is no change.",
  whenOmitted: "the project's default branch",
});

const database = objectName("the name of the database, e.g. neondb").meta({
  description:
    "Name of the database, e.g. `neondb`. It is reached as its owner, over the branch's direct (never pooled) endpoint.",
});

/** The Neon project. */
export const projectTarget = { projectId };

/** The Neon project and branch. */
export const branchTarget = { ...projectTarget, branch };

/** The database that a kind works in. */
export const databaseTarget = { ...branchTarget, database };

/** The ids a resource records, so that a name which comes to mean another branch is noticed. */
export const recordedTarget = {
  branchId: z.string().meta({ description: "Id of the branch, `br-...`." }),
  branchName: z.string().meta({ description: "Name of the branch." }),
  branchIsDefault: z.boolean().meta({ description: "Whether the branch is the project's default branch." }),
  endpointId: z.string().meta({ description: "Id of the branch's read-write endpoint, `ep-...`." }),
  databaseName: z.string().optional().meta({
    description:
      "Name of the database; not set where no database is named. It differs from `database` after somebody renamed the database.",
  }),
  databaseOid: z.int().positive().optional().meta({
    description:
      "PostgreSQL's oid of the database, by which it is recognised under another name; not set before the database was connected to.",
  }),
  owner: z.string().optional().meta({
    description:
      "Owner role of the database, which the resource acts as; not set where no database is named. With it, a refresh need not look everything up again.",
  }),
};
