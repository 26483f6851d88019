import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail, type BemiAuditTrailArgs } from "./components";
import { parseStackConfig } from "./stackConfig";

/** One stack is one environment: one Neon database, driven by the stack's configuration alone. */
const trail = new BemiAuditTrail("trail", stackArgs());

export const connection = trail.connection;
export const endpoint = trail.endpoint;
export const status = trail.status;
export const debezium = trail.debezium;

function stackArgs(): BemiAuditTrailArgs {
  try {
    return parseStackConfig(pulumi.runtime.allConfig(), {
      project: pulumi.getProject(),
      command: process.env["PULUMI_NEON_BEMI_CLI"],
    });
  } catch (error) {
    // A RunError is shown by its message alone: the mistakes are the user's to read, the stack is not.
    throw new pulumi.RunError(error instanceof Error ? error.message : String(error));
  }
}
