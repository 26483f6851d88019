// Written by `npm run generate` from provider/contract. Edit the contract.

import { ComponentResource, type ComponentResourceOptions, type Output } from "@pulumi/pulumi";
import { trailDefinition } from "../../provider/contract/trail";
import { checkArguments } from "../arguments";
import { typeToken } from "../binding";
import { placeOf } from "../place";
import { declareTrail } from "../trail";
import type { BemiAuditTrailArgs, BemiConnection, BemiEndpoint, BemiStatus } from "./trailTypes";

/**
 * Everything Bemi needs for an automatic audit trail of a Neon database, in an order that never makes your
 * application's writes fail: logical replication, role, read access, replica identity, publication, slot
 * watch, readiness. IP Allow comes last, when all SQL has run. A destroy goes the other way and puts
 * everything back, except the project's logical replication, which Neon cannot turn off.
 */
export class BemiAuditTrail extends ComponentResource {
  /** Secret. The fields of Bemi's dialog "Connect PostgreSQL Database", and the same as a URI. */
  readonly connection: Output<BemiConnection>;
  /** What of `connection` is no secret. */
  readonly endpoint: Output<BemiEndpoint>;
  /** What `Readiness` verified. */
  readonly status: Output<BemiStatus>;
  /**
   * Properties for a self-hosted Bemi worker (Debezium). Without them it makes a publication of its own for
   * all tables.
   */
  readonly debezium: Output<Record<string, string>>;

  constructor(name: string, args: BemiAuditTrailArgs, opts?: ComponentResourceOptions) {
    const place = placeOf(args);
    checkArguments(trailDefinition, name, place.args);
    super(typeToken("BemiAuditTrail"), name, {}, opts);
    const outputs = declareTrail(this, name, place);
    this.connection = outputs.connection;
    this.endpoint = outputs.endpoint;
    this.status = outputs.status;
    this.debezium = outputs.debezium;
    this.registerOutputs(outputs);
  }
}
