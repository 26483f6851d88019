// One Neon project for each customer, and an audit trail in each: a program over a list.
import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail } from "pulumi-neon-bemi";

/** A customer's project, and what differs from the other customers. Any argument of BemiAuditTrail can be added. */
interface Tenant {
  readonly projectId: string;
  readonly excludeTables?: string[];
  readonly role?: { readonly name?: string; readonly createdBy?: "sql" | "api" };
  readonly slot?: string;
}

const tenants = new pulumi.Config().requireObject<Record<string, Tenant>>("tenants");

const trails = Object.entries(tenants).map(([name, tenant]) => ({
  name,
  trail: new BemiAuditTrail(name, {
    database: "neondb",
    environment: "Production",
    schemas: ["public"],
    ...tenant,
  }),
}));

/** What Bemi's dialog asks for, by customer. */
export const connections = Object.fromEntries(trails.map(({ name, trail }) => [name, trail.connection]));
