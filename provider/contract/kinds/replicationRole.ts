import * as z from "zod";
import { define } from "../definition";
import { managedBy, roleName } from "../fields/names";
import { roleFields, roleOutputs } from "../fields/role";
import { ownershipId } from "../fields/states";
import { databaseTarget } from "../fields/target";

export const replicationRoleInputs = z.strictObject({
  ...databaseTarget,
  name: roleName,
  ...roleFields,
  managedBy,
});

export const replicationRoleOutputs = roleOutputs.extend({
  ownershipId,
  roleOid: z.int().optional().meta({
    description:
      "Oid of the role, if this resource made it. It tells the role from another one of the same name and comment.",
  }),
});

export const replicationRoleDefinition = define({
  type: "ReplicationRole",
  description: `A dedicated role made in SQL: LOGIN REPLICATION and nothing more, read-only by default, member of no role. Needs
PostgreSQL 16 or newer, because before that only a superuser may give REPLICATION; use \`ApiRole\` there.

REPLICATION lets a role read every change of every table in the database, whatever it is granted.`,
  inputs: replicationRoleInputs,
  outputs: replicationRoleOutputs,
  replaceOn: ["projectId", "branch", "name"],
  unplanned: ({ adopt }) =>
    adopt === true
      ? "A role of this name that exists on the branch is taken over, and gets a new password there."
      : undefined,
});

export type ReplicationRoleInputs = z.output<typeof replicationRoleInputs>;
export type ReplicationRoleOutputs = z.output<typeof replicationRoleOutputs>;
