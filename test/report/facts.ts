import type { Catalog, TableFacts } from "../../provider/contract/catalog";
import type { NeonProject } from "../../provider/contract/neonApi";
import type { Operation, PlanOptions, Seen, TrailFacts, TrailSettings } from "../../report/plan/facts";
import { planReport, type PlanReport } from "../../report/plan/report";
import type { TableStatistics } from "../../report/plan/statistics";
import { catalogOf, listed, publication } from "../support/catalog";

/** The arguments of a trail for schema `public`, with the component's defaults. */
export function settings(parts: Partial<TrailSettings> = {}): TrailSettings {
  return {
    projectId: "cool-darkness-123456",
    database: "neondb",
    selection: { schemas: ["public"] },
    trackNewTables: true,
    role: "bemi",
    createdBy: "sql",
    readAccess: true,
    publication: "bemi",
    slot: "bemi",
    dropSlotOnDestroy: false,
    adopt: false,
    logicalReplication: "enable",
    restrictOpenProject: false,
    ...parts,
  };
}

export function project(parts: Partial<NeonProject> = {}): NeonProject {
  return {
    id: "cool-darkness-123456",
    storePasswords: true,
    logicalReplication: true,
    blockPublicConnections: false,
    allowedIps: { ips: [], protectedBranchesOnly: false },
    ...parts,
  };
}

/** The resources of a trail, which a preview all does the same with. */
export function operations(change: Operation["change"]): Operation[] {
  return [
    "LogicalReplication",
    "ReplicationRole",
    "ReadAccess",
    "ReplicaIdentity",
    "Publication",
    "ReplicationSlot",
    "Readiness",
  ].map((type) => ({ type, name: `orders-${type}`, change }));
}

const DAY = 86_400;

/** A small table without large values, with some changes in ten days. */
export function counted(parts: Partial<TableStatistics> = {}): TableStatistics {
  return {
    rows: 1000,
    inserts: 1000,
    updates: 2000,
    hotUpdates: 1000,
    deletes: 100,
    pieceDeletes: 0,
    inlineBytes: 80,
    piecesPerRow: 0,
    outOfLineBytes: 0,
    indexes: 1,
    ...parts,
  };
}

/** A table with documents of about 20 kB out of line, whose other columns are updated 500,000 times in ten days. */
export const DOCUMENTS: Partial<TableStatistics> = {
  rows: 200_000,
  updates: 500_000,
  hotUpdates: 400_000,
  piecesPerRow: 10,
  outOfLineBytes: 19_000,
};

/** What is seen of a database with these tables, whose statistics are of ten days. */
export function seen(
  tables: readonly (readonly [TableFacts, Partial<TableStatistics>?])[],
  parts: Partial<Omit<Seen, "catalog">> & { readonly catalog?: Partial<Catalog> } = {},
): Seen {
  const { catalog, ...others } = parts;
  return {
    project: project(),
    branch: "main",
    catalog: catalogOf({ tables: tables.map(([table]) => table), ...catalog }),
    statistics: {
      windowSeconds: 10 * DAY,
      tables: new Map(tables.map(([table, statistics]) => [table.oid, counted(statistics)])),
    },
    ...others,
  };
}

/** The same, of a trail that is as it should be. */
export function seenTracked(tables: readonly TableFacts[]): Seen {
  const tracked = tables.map((table) => ({ ...table, identity: "full" as const, listedIn: listed("bemi") }));
  return seen(
    tracked.map((table) => [table]),
    { catalog: { publications: [publication("bemi")] } },
  );
}

/** A trail that a preview creates. */
export function trail(parts: Partial<TrailFacts> = {}): TrailFacts {
  return {
    name: "orders",
    settings: settings(),
    operations: operations("create"),
    messages: [],
    failures: [],
    drift: [],
    seen: { notSeen: "the test has no database." },
    ...parts,
  };
}

/** The report about a stack with one trail. */
export function reportOf(facts: TrailFacts, options: Partial<PlanOptions> = {}): PlanReport {
  return planReport(
    { stack: { project: "shop", name: "production" }, trails: [facts], failures: [] },
    { minWindowHours: 24, exceptions: [], ...options },
  );
}
