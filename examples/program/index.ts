// One database with an audit trail. What differs between environments is in the stack's configuration.
import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail, type BemiAuditTrailArgs } from "pulumi-neon-bemi";

const config = new pulumi.Config();

const trail = new BemiAuditTrail("orders", {
  projectId: config.require("projectId"),
  branch: config.get("branch"),
  database: config.get("database") ?? "neondb",
  schemas: ["public"],
  excludeTables: config.getObject<string[]>("excludeTables"),
  // Before PostgreSQL 16: pulumi config set --path role.createdBy api
  role: config.getObject<NonNullable<BemiAuditTrailArgs["role"]>>("role"),
});

export const { connection, endpoint, status } = trail;
