import { main } from "@pulumi/pulumi/provider";
import { BemiAuditTrail, type BemiAuditTrailArgs } from "../../components/index";
import { foundPlugin } from "../../components/plugin";
import { VERSION } from "./version";

/**
 * The process behind `ComponentServer`: the SDK's component server with the one component of this package. It takes the
 * engine's address as its argument, prints its port, and ends with the process that started it.
 */
process.on("disconnect", () => process.exit());
foundPlugin();

void main(
  {
    version: VERSION,
    construct: (name, _type, inputs, options) => {
      // The arguments come from a program in another language, so nothing has checked their types. The component checks
      // all of them itself, as it does for plain JavaScript.
      const trail = new BemiAuditTrail(name, inputs as BemiAuditTrailArgs, options);
      const { connection, endpoint, status, debezium } = trail;
      return Promise.resolve({ urn: trail.urn, state: { connection, endpoint, status, debezium } });
    },
  },
  process.argv.slice(2),
);
