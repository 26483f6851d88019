// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { replicationRoleDefinition } from "../../provider/contract/kinds/replicationRole";
import { NeonBemiResource } from "../binding";

/** Arguments of {@link ReplicationRole}. */
export interface ReplicationRoleArgs {
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
}

/**
 * A dedicated role made in SQL: LOGIN REPLICATION and nothing more, read-only by default, member of no role.
 * Needs PostgreSQL 16 or newer, because before that only a superuser may give REPLICATION; use `ApiRole`
 * there.
 *
 * REPLICATION lets a role read every change of every table in the database, whatever it is granted.
 */
export class ReplicationRole extends NeonBemiResource {
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
   * Id in the ownership mark on the object. It tells the resource's own object, whatever stack, project or
   * component are called; not set before the resource has written its mark, as after an import.
   */
  declare readonly ownershipId: Output<string | undefined>;
  /**
   * Oid of the role, if this resource made it. It tells the role from another one of the same name and
   * comment.
   */
  declare readonly roleOid: Output<number | undefined>;

  constructor(name: string, args: ReplicationRoleArgs, opts?: CustomResourceOptions) {
    super(replicationRoleDefinition, name, { ...args }, opts);
  }
}
