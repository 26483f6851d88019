import * as z from "zod";
import { define } from "../definition";
import { roleName } from "../fields/names";
import { roleFields, roleOutputs } from "../fields/role";
import { databaseTarget } from "../fields/target";
import { flag } from "../fields/values";

export const apiRoleInputs = z.strictObject({
  ...databaseTarget,
  name: roleName,
  ...roleFields,
  renewPassword: flag().optional().meta({
    description:
      "Gives a role that is taken over a new password. For a branch that the program makes: its roles have the passwords of the branch that was copied.",
    whenOmitted: "a role that is taken over keeps its password",
    filledInBy: "component",
  }),
});

export const apiRoleOutputs = roleOutputs.extend({
  roleCreatedAt: z.string().optional().meta({
    description:
      "When Neon made the role, by Neon's clock: it tells the role from another one of the same name; not set before the first refresh.",
  }),
});

export const apiRoleDefinition = define({
  type: "ApiRole",
  description: `A role made through Neon's API. It can do what every such role can: read **and write** all tables, bypass row
security, create roles and databases. Prefer \`ReplicationRole\` where the server is PostgreSQL 16 or newer.`,
  inputs: apiRoleInputs,
  outputs: apiRoleOutputs,
  replaceOn: ["projectId", "branch", "name"],
  unplanned: ({ adopt, renewPassword }) => {
    if (adopt !== true) return undefined;
    const password = renewPassword === true ? "gets a new password there" : "keeps its password";
    return `A role of this name that exists on the branch is taken over, and ${password}.`;
  },
});

export type ApiRoleInputs = z.output<typeof apiRoleInputs>;
export type ApiRoleOutputs = z.output<typeof apiRoleOutputs>;
