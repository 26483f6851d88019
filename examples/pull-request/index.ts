// A test stack for a pull request: a Neon branch of its own with an audit trail on it. `pulumi up` makes both, and
// `pulumi destroy` leaves nothing. In a project of your own, import from "pulumi-neon-bemi".
import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail, Branch, type BemiAuditTrailArgs } from "../../components";

const config = new pulumi.Config();
const projectId = config.require("projectId");

const branch = new Branch("branch", {
  projectId,
  // Unless it is configured, the name of the stack, e.g. pr-7.
  name: config.get("name") ?? pulumi.getStack(),
  // Production's data stay out of tests with `schemaOnly: true`.
  schemaOnly: config.getBoolean("schemaOnly"),
  // Neon deletes what a failed pipeline leaves behind.
  expiresInHours: 72,
});

const trail = new BemiAuditTrail("orders", {
  projectId,
  branch,
  database: config.get("database") ?? "neondb",
  schemas: config.getObject<string[]>("schemas"),
  excludeTables: config.getObject<string[]>("excludeTables"),
  // Before PostgreSQL 16: pulumi config set --path role.createdBy api
  role: config.getObject<NonNullable<BemiAuditTrailArgs["role"]>>("role"),
  environment: "Test",
  // The setting is the project's: a test must not turn it on, because that restarts production's computes too.
  logicalReplication: "require",
  dropSlotOnDestroy: true,
});

export const branchId = branch.branchId;
export const connection = trail.connection;
export const status = trail.status;
