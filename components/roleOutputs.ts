import type { Output } from "@pulumi/pulumi";

/** Outputs of both kinds of role: how to connect as it. */
export const ROLE_OUTPUTS = [
  "host",
  "port",
  "username",
  "password",
  "created",
  "branchId",
  "branchName",
  "branchIsDefault",
  "endpointId",
] as const;

/** A role that a consumer can log in as. */
export interface LoginRole {
  /** Direct (never `-pooler`) host of the branch's read-write endpoint. */
  readonly host: Output<string>;
  readonly port: Output<number>;
  readonly username: Output<string>;
  /** Secret. */
  readonly password: Output<string>;
  /** Whether this resource made the role; an adopted role survives a destroy. */
  readonly created: Output<boolean>;
}
