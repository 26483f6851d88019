// A self-hosted Bemi worker. When the audit trail is ready, this program writes the worker's settings to a file, with which
// the worker can be started. It uses Pulumi's command package (https://www.pulumi.com/registry/packages/command).
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail } from "../../components";

const config = new pulumi.Config();

const trail = new BemiAuditTrail("orders", {
  projectId: config.require("projectId"),
  database: "neondb",
  environment: "Staging",
  // The open-source worker always uses this name for its slot.
  slot: "bemi_local",
  dropSlotOnDestroy: true,
});

/** Without these, the worker would create its own publication FOR ALL TABLES, and writes of the application would fail. */
const properties = trail.debezium.apply((settings) =>
  Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join("\n"),
);

export const worker = new local.Command(
  "worker-properties",
  {
    create:
      'umask 077 && printf "%s\\n%s\\n" "$PROPERTIES" "debezium.source.database.password=$PASSWORD" > worker.properties',
    delete: "rm -f worker.properties",
    environment: { PROPERTIES: properties, PASSWORD: trail.connection.password },
    logging: "none",
  },
  { dependsOn: trail },
);
