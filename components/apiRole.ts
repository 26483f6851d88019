import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import type { DatabaseArgs } from "./args";
import { NeonBemiResource } from "./binding";
import { ROLE_OUTPUTS, type LoginRole } from "./roleOutputs";

export interface ApiRoleArgs extends DatabaseArgs {
  /** Name of the role, at most 63 bytes. Another name replaces the resource. */
  name: Input<string>;
  /** Takes over a role of this name that exists already, and leaves it in place on destroy. Default: false. */
  adopt?: Input<boolean>;
  /** Any change of this number sets a new password, which ends the role's connections. */
  passwordVersion?: Input<number>;
}

/**
 * A role made through Neon's API. It can do what every such role can: read **and write** all tables, bypass row
 * security, create roles and databases. Prefer {@link ReplicationRole} where PostgreSQL 16 or newer allows it.
 */
export class ApiRole extends NeonBemiResource implements LoginRole {
  declare readonly host: Output<string>;
  declare readonly port: Output<number>;
  declare readonly username: Output<string>;
  declare readonly password: Output<string>;
  declare readonly created: Output<boolean>;

  constructor(name: string, args: ApiRoleArgs, opts?: CustomResourceOptions) {
    super(
      { type: "ApiRole", computed: ROLE_OUTPUTS, secrets: ["password"] },
      name,
      { ...args, adopt: args.adopt ?? false },
      opts,
    );
  }
}
