import type { Catalog, RoleFacts } from "../../contract/catalog";
import { blocking, degraded, selectionFindings, serverFindings, type Finding } from "../selection/findings";
import type { SelectedTables, Selection } from "../selection/selection";
import { covers } from "../catalog/membership";
import { tablesByOid } from "../catalog/tableIndex";
import { trackedTables } from "../identity/trackedTables";
import { newTableFindings } from "./newTableFindings";
import { tableFindings } from "./tableFindings";
import type { Trail } from "./trail";

/** How many of the selected tables are as wanted. */
export interface Coverage {
  /** Number of selected tables. */
  readonly selected: number;
  /** How many of them the publication publishes. */
  readonly published: number;
  /** How many of them have the replica identity FULL. */
  readonly full: number;
  /** How many of them keep the identity that names a row by its key. */
  readonly keyIdentity: number;
}

/** How many connections Debezium, which Bemi's worker is built on, needs at the same time. */
const CONNECTIONS = 3;

/** The trail works, and captures nothing. */
const NO_TABLES: Finding = {
  severity: "degraded",
  subject: "The selection",
  message: "has no table, so no change is captured.",
  remedy: "Check schemas, tables and excludeTables.",
};

/** Everything that keeps the stream from working, makes writes fail, or captures less than was asked for. */
export function readinessFindings(catalog: Catalog, trail: Trail, selected: SelectedTables): Finding[] {
  return [
    ...serverFindings(catalog, trail.slot),
    ...walFindings(catalog),
    ...selectionFindings(selected),
    ...(selected.tables.length === 0 ? [NO_TABLES] : []),
    ...roleFindings(catalog, trail.role),
    ...publicationFindings(catalog, trail.publication),
    ...tableFindings(catalog, trail, selected),
    ...newTableFindings(catalog, trail),
    ...slotFindings(catalog, trail.slot),
  ];
}

/** The coverage of the selected tables. */
export function coverage(
  catalog: Catalog,
  trail: Selection & Pick<Trail, "publication">,
  { tables }: SelectedTables,
): Coverage {
  const publication = catalog.publications.find(({ name }) => name === trail.publication);
  const byOid = tablesByOid(catalog);
  const withKey = trackedTables(catalog, trail).filter(
    ({ table, full, safe }) => table.identity !== "full" && !full && safe,
  );
  return {
    selected: tables.length,
    published:
      publication === undefined ? 0 : tables.filter((table) => covers(publication, table, byOid)).length,
    full: tables.filter(({ identity }) => identity === "full").length,
    keyIdentity: withKey.length,
  };
}

function walFindings({ server }: Catalog): Finding[] {
  if (server.walLevel === "logical") return [];
  return [
    blocking(
      "Logical replication",
      `is off: wal_level is ${server.walLevel}.`,
      'Turn it on with LogicalReplication (logicalReplication: "enable" of BemiAuditTrail).',
    ),
  ];
}

function roleFindings(catalog: Catalog, name: string): Finding[] {
  const role = catalog.roles.find((facts) => facts.name === name);
  const subject = `Role ${name}`;
  if (role === undefined)
    return [blocking(subject, "does not exist.", "Run pulumi up again to make the role.")];
  const findings: Finding[] = [];
  const lacks = missingRights(role);
  if (lacks.length > 0)
    findings.push(
      blocking(
        subject,
        `lacks ${lacks.join(" and ")}.`,
        "Give the role what it lacks, or run pulumi up again.",
      ),
    );
  if (role.validUntil !== null && Date.parse(role.validUntil) < Date.now())
    findings.push(
      blocking(
        subject,
        `has a password that expired at ${role.validUntil}.`,
        "Run ALTER ROLE ... VALID UNTIL 'infinity'.",
      ),
    );
  if (role.connectionLimit >= 0 && role.connectionLimit < CONNECTIONS)
    findings.push({
      severity: "degraded",
      subject,
      message: `may have ${role.connectionLimit} connections; a consumer needs ${CONNECTIONS}.`,
      remedy: "Run ALTER ROLE ... CONNECTION LIMIT -1.",
    });
  return findings;
}

/** The rights that the role lacks and a consumer needs to stream the changes of this database. */
function missingRights(role: RoleFacts): string[] {
  return [
    ...(role.canLogin ? [] : ["LOGIN"]),
    ...(role.replication || role.superuser ? [] : ["REPLICATION"]),
    ...(role.mayConnect ? [] : ["CONNECT on the database"]),
  ];
}

function publicationFindings(catalog: Catalog, name: string): Finding[] {
  const publication = catalog.publications.find((facts) => facts.name === name);
  const subject = `Publication ${name}`;
  if (publication === undefined)
    return [blocking(subject, "does not exist.", "Run pulumi up again to make the publication.")];
  const operations = ["insert", "update", "delete", "truncate"] as const;
  const silent = operations.filter((operation) => !publication[operation]);
  if (silent.length === 0) return [];
  return [
    {
      severity: "degraded",
      subject,
      message: `does not publish ${silent.join(", ")}, so such changes are not captured.`,
      remedy: "Run pulumi up again, which sets the option publish back.",
    },
  ];
}

function slotFindings(catalog: Catalog, name: string): Finding[] {
  const slot = catalog.slots.find((facts) => facts.name === name);
  const subject = `Replication slot ${name}`;
  if (slot === undefined) return [];
  if (slot.walStatus === "lost")
    return [
      degraded(
        subject,
        "is lost: the log it needs was removed, so changes are missing.",
        "Drop it. The consumer makes a new slot, and captures changes from then on.",
      ),
    ];
  if (slot.walStatus === "unreserved")
    return [
      degraded(subject, "is about to lose the log it needs.", "Start its consumer, or find out why it lags."),
    ];
  if (!slot.active && (slot.retainedBytes ?? 0) > MUCH_WAL)
    return [
      degraded(
        subject,
        "has no consumer, and holds back more than 1 GB of write-ahead log.",
        "Start its consumer. Neon removes a slot that nobody has read for about 40 hours.",
      ),
    ];
  return [];
}

/** So much write-ahead log behind a slot without a consumer is worth a line, in bytes. `neon-bemi check` has the same default. */
const MUCH_WAL = 1e9;
