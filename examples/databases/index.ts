// Several databases on one branch of one Neon project, each with an audit trail of its own. All databases of a branch share
// its roles, and the name of a slot exists once per branch. So each trail needs a role and a slot of its own.
import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail } from "pulumi-neon-bemi";

const config = new pulumi.Config();
const projectId = config.require("projectId");
const databases = config.requireObject<string[]>("databases");
// Before PostgreSQL 16: pulumi config set createdBy api
const createdBy = config.get<"sql" | "api">("createdBy");

const trails = databases.map((database) => {
  const name = `bemi_${database}`;
  return {
    database,
    trail: new BemiAuditTrail(database, { projectId, database, role: { name, createdBy }, slot: name }),
  };
});

/** What Bemi's dialog asks for, by database. */
export const connections = Object.fromEntries(
  trails.map(({ database, trail }) => [database, trail.connection]),
);
