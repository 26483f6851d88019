import "./provider/contract/jitless";
import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail, type BemiAuditTrailArgs } from "./components";
import { parseStackConfig } from "./stackConfig";

// For each promise the SDK takes a stack, and looks up every frame's source: a fifth of this program's time. Where a resource
// is declared, it finds out with a limit of its own. NODE_OPTIONS=--stack-trace-limit=30 brings the whole stacks of errors back.
const DEFAULT_LIMIT = 10;
if (Error.stackTraceLimit === DEFAULT_LIMIT) Error.stackTraceLimit = 1;

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
