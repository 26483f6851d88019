import * as z from "zod";
import { recordedTarget } from "./target";
import { choice, flag } from "./values";

/** What both kinds of role have as arguments besides their name; see `roleName`. */
export const roleFields = {
  adopt: flag().default(false).meta({
    description: "Takes over a role of this name that exists already, and leaves it in place on destroy.",
  }),
  passwordVersion: z.int("must be a whole number").optional().meta({
    description:
      "Any change of this number sets a new password, which ends the role's connections. The consumer must then be given the new password.",
    whenOmitted: "the password stays as it is",
  }),
};

/** How the component's role is made; it is the same choice in the plan that is checked beforehand. */
export const roleCreatedBy = choice(["sql", "api"]).default("sql").meta({
  description:
    '`"sql"`: a dedicated role, LOGIN REPLICATION and read-only; needs PostgreSQL 16 or newer. `"api"`: a role made through Neon\'s API, which can also **write** all tables and bypass row security; for PostgreSQL 14 and 15.',
});

/** How to connect as the role. */
export const roleOutputs = z.object({
  host: z
    .string()
    .meta({ description: "Direct (never `-pooler`) host of the branch's read-write endpoint." }),
  port: z.int().meta({ description: "Port of that host." }),
  username: z.string().meta({ description: "Name of the role." }),
  password: z.string().meta({ description: "Password of the role.", secret: true }),
  created: z.boolean().meta({
    description: "Whether this resource made the role; an adopted role survives a destroy.",
  }),
  ...recordedTarget,
});

export type RoleOutputs = z.output<typeof roleOutputs>;
