// A self-hosted Bemi worker beside the audit trail: once the trail is ready, its settings are written to a file that
// the worker is started with. Run by Pulumi's own plugin for commands (https://www.pulumi.com/registry/packages/command).
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail } from "../../components";

const config = new pulumi.Config();

const trail = new BemiAuditTrail("orders", {
  projectId: config.require("projectId"),
  database: "neondb",
  environment: "Staging",
  // The open-source worker names its slot itself.
  slot: "bemi_local",
  dropSlotOnDestroy: true,
});

/** Without these, the worker would make a publication FOR ALL TABLES of its own, and break writes with it. */
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
