// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { apiRoleDefinition } from "../../provider/contract/kinds/apiRole";
import { NeonBemiResource } from "../binding";

/** Arguments of {@link ApiRole}. */
export interface ApiRoleArgs {
  /** Id of the Neon project, e.g. `cool-darkness-123456`. A change replaces the resource. */
  projectId: Input<string>;
  /**
   * Name of the branch, or its `br-` id. Naming the same branch in another way is no change. A change
   * replaces the resource. Default: the project's default branch.
   */
  branch?: Input<string>;
  /**
   * Name of the database, e.g. `neondb`. It is reached as its owner, over the branch's direct (never pooled)
   * endpoint.
   */
  database: Input<string>;
  /**
   * Name of the role, at most 63 bytes. Names that PostgreSQL or Neon reserve are refused. A change replaces
   * the resource. Default: `"bemi"`.
   */
  name?: Input<string>;
  /**
   * Takes over a role of this name that exists already, and leaves it in place on destroy. Default: `false`.
   */
  adopt?: Input<boolean>;
  /**
   * Any change of this number sets a new password, which ends the role's connections. The consumer must then
   * be given the new password. Default: the password stays as it is.
   */
  passwordVersion?: Input<number>;
  /**
   * Gives a role that is taken over a new password. For a branch that the program makes: its roles have the
   * passwords of the branch that was copied. `BemiAuditTrail` fills it in. Default: a role that is taken over
   * keeps its password.
   */
  renewPassword?: Input<boolean>;
}

/**
 * A role made through Neon's API. It can do what every such role can: read **and write** all tables, bypass
 * row security, create roles and databases. Prefer `ReplicationRole` where the server is PostgreSQL 16 or
 * newer.
 */
export class ApiRole extends NeonBemiResource {
  /** Direct (never `-pooler`) host of the branch's read-write endpoint. */
  declare readonly host: Output<string>;
  /** Port of that host. */
  declare readonly port: Output<number>;
  /** Name of the role. */
  declare readonly username: Output<string>;
  /** Secret. Password of the role. */
  declare readonly password: Output<string>;
  /** Whether this resource made the role; an adopted role survives a destroy. */
  declare readonly created: Output<boolean>;
  /** Id of the branch, `br-...`. */
  declare readonly branchId: Output<string>;
  /** Name of the branch. */
  declare readonly branchName: Output<string>;
  /** Whether the branch is the project's default branch. */
  declare readonly branchIsDefault: Output<boolean>;
  /** Id of the branch's read-write endpoint, `ep-...`. */
  declare readonly endpointId: Output<string>;
  /**
   * Name of the database; not set where no database is named. It differs from `database` after somebody
   * renamed the database.
   */
  declare readonly databaseName: Output<string | undefined>;
  /**
   * PostgreSQL's oid of the database, by which it is recognised under another name; not set before the
   * database was connected to.
   */
  declare readonly databaseOid: Output<number | undefined>;
  /**
   * Owner role of the database, which the resource acts as; not set where no database is named. With it, a
   * refresh need not look everything up again.
   */
  declare readonly owner: Output<string | undefined>;
  /**
   * When Neon made the role, by Neon's clock: it tells the role from another one of the same name; not set
   * before the first refresh.
   */
  declare readonly roleCreatedAt: Output<string | undefined>;

  constructor(name: string, args: ApiRoleArgs, opts?: CustomResourceOptions) {
    super(apiRoleDefinition, name, { ...args }, opts);
  }
}
