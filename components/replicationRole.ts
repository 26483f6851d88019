import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import type { DatabaseArgs } from "./args";
import { managedBy, NeonBemiResource } from "./binding";
import { ROLE_OUTPUTS, type LoginRole } from "./roleOutputs";

export interface ReplicationRoleArgs extends DatabaseArgs {
  /** Name of the role, at most 63 bytes. Another name replaces the resource. */
  name: Input<string>;
  /** Takes over a role of this name that exists already, and leaves it in place on destroy. Default: false. */
  adopt?: Input<boolean>;
  /** Any change of this number sets a new password, which the consumer has to be given. */
  passwordVersion?: Input<number>;
}

/**
 * A dedicated role made in SQL: LOGIN REPLICATION and nothing else, read-only by default, member of no role. Needs
 * PostgreSQL 16 or newer, as before only a superuser may give REPLICATION; there use {@link ApiRole}.
 *
 * REPLICATION lets a role read every change of every table in the database, whatever it is granted.
 */
export class ReplicationRole extends NeonBemiResource implements LoginRole {
  declare readonly host: Output<string>;
  declare readonly port: Output<number>;
  declare readonly username: Output<string>;
  declare readonly password: Output<string>;
  declare readonly created: Output<boolean>;

  constructor(name: string, args: ReplicationRoleArgs, opts?: CustomResourceOptions) {
    super(
      { type: "ReplicationRole", computed: ROLE_OUTPUTS, secrets: ["password"] },
      name,
      { ...args, adopt: args.adopt ?? false, managedBy: managedBy(name) },
      opts,
    );
  }
}
