import type * as z from "zod";
import { fitsName, NAME_RULE, filledText, text } from "./values";

/** The name that Bemi Cloud expects of role, publication and slot. */
export const BEMI = "bemi";

/** A name that every consumer of a publication or slot reads the same way. */
function consumerName(): z.ZodString {
  return text().regex(
    /^[a-z0-9_]{1,63}$/,
    "must be 1 to 63 lower-case letters, digits or underscores: consumers such as Debezium misread other names",
  );
}

/** Name of the publication: one declaration for every kind that has it as an argument. */
export const publicationName = consumerName().default(BEMI).meta({
  description:
    "Name of the publication: 1 to 63 lower-case letters, digits or underscores. Bemi Cloud expects the default.",
});

/** Name of the replication slot: one declaration for every kind that has it as an argument. */
export const slotName = consumerName().default(BEMI).meta({
  description:
    "Name of the replication slot, which the consumer makes: 1 to 63 lower-case letters, digits or underscores. Bemi Cloud expects the default.",
});

/** Name of a role. The field says which role it is, in a text of its own. */
export const existingRole = filledText()
  .refine(fitsName, NAME_RULE)
  .refine(
    (name) => !/^pg_|^(neon_superuser|cloud_admin|zenith_admin|public|none)$/i.test(name),
    "is reserved by PostgreSQL or Neon",
  );

/** Name of the role that Bemi connects with: one declaration for the kinds that make it. */
export const roleName = existingRole.default(BEMI).meta({
  description: "Name of the role, at most 63 bytes. Names that PostgreSQL or Neon reserve are refused.",
});

/** The ownership mark on objects in the database carries it. */
export const managedBy = filledText().meta({
  description:
    "Name of the declaring resource, `<project>/<stack>/<name>`, for the mark on objects it makes.",
  filledInBy: "resource",
});
