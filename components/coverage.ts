import type { Output } from "@pulumi/pulumi";

/** Outputs of the resources that cover a set of tables. */
export const COVERAGE_OUTPUTS = [
  "wanted",
  "done",
  "fingerprint",
  "pending",
  "branchId",
  "branchName",
  "branchIsDefault",
  "endpointId",
] as const;

/** How far a set of tables is covered: counts and a fingerprint, as state must not grow with the number of tables. */
export interface Coverage {
  readonly wanted: Output<number>;
  /** Of the wanted tables, those that are as they should be. */
  readonly done: Output<number>;
  /** Changes whenever the set of tables or their condition does. */
  readonly fingerprint: Output<string>;
  /** The first few tables that are not as they should be, with the reason. */
  readonly pending: Output<string[]>;
}
