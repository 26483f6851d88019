import type { Catalog, PublicationFacts, RoleFacts, SettingFacts, TableFacts } from "../../contract/catalog";
import { ownerFinding, selectionFindings, serverFindings, type Finding } from "../selection/findings";
import { formatTableName } from "../catalog/tableNames";
import type { SelectedTables, Selection } from "../selection/selection";
import { covers } from "../catalog/membership";
import { bestOf, publishingBreaksWrites } from "../catalog/publishability";
import { tablesByOid } from "../catalog/tableIndex";
import { KEYLESS_REMEDY } from "../identity/keyFindings";
import { keepsKey, trackedTables, type TrackedTable } from "../identity/trackedTables";
import { quoteIdentifier } from "../sql/quote";
import { idleTriggers, newTablesMode, tracksNewTables } from "../tracking/state";
import { LOCK_VIEW_SQL } from "../record/lines";

/** What is verified: the objects of a trail, by name, and the selection of its tables. */
export interface Trail extends Selection {
  /** Whether new tables are to be tracked from their first row. */
  readonly trackNewTables: boolean;
  readonly role: string;
  readonly publication: string;
  readonly slot: string;
}

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
  const publication = findPublication(catalog, trail.publication);
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
  const publication = findPublication(catalog, name);
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

function tableFindings(catalog: Catalog, trail: Trail, selected: SelectedTables): Finding[] {
  const name = trail.publication;
  const publication = findPublication(catalog, name);
  if (publication === undefined) return [];
  const byOid = tablesByOid(catalog);
  const exposed = selected.excluded.filter(
    (table) => covers(publication, table, byOid) && !table.partitioned && table.persistence === "permanent",
  );
  return [
    ...exposed.map((table) =>
      blocking(
        formatTableName(table),
        `is excluded, but publication ${name} publishes it, so its rows reach the consumer.`,
        "Run pulumi up again: it takes the table out.",
      ),
    ),
    ...heirFindings(catalog, selected),
    ...trackedTables(catalog, trail).flatMap((entry) => trackedFindings(catalog, publication, entry, byOid)),
  ];
}

/** Tables with children that are not tracked: what is written through such a table may be a row of a child. */
function heirFindings(catalog: Catalog, { tables, excluded }: SelectedTables): Finding[] {
  const settled = new Set([...tables, ...excluded].map(({ oid }) => oid));
  const parents = new Map(tables.map((table) => [table.oid, table]));
  return catalog.tables.flatMap((child) => {
    const parent = settled.has(child.oid) ? undefined : child.inheritsFrom.find((oid) => parents.has(oid));
    const facts = parent === undefined ? undefined : parents.get(parent);
    if (facts === undefined || child.persistence !== "permanent") return [];
    return [
      degraded(
        formatTableName(child),
        `inherits from ${formatTableName(facts)} and is not tracked: changes of its rows are not captured, not even those made through ${formatTableName(facts)}.`,
        "Select its schema too, or put it in excludeTables.",
      ),
    ];
  });
}

function trackedFindings(
  catalog: Catalog,
  publication: PublicationFacts,
  entry: TrackedTable,
  byOid: ReadonlyMap<number, TableFacts>,
): Finding[] {
  const { name } = publication;
  const { table } = entry;
  const subject = formatTableName(table);
  const best = bestOf(entry);
  const published = covers(publication, table, byOid);
  const asWanted = table.identity === "full" || keepsKey(entry);
  if (!table.mayAlter && !(published && asWanted)) return [ownerFinding(table, catalog)];
  if (!published)
    return [
      best.identity === "none"
        ? degraded(
            subject,
            `is not published: it ${best.because ?? ""}, and it has no key either.`,
            "Give it a primary key, or put it in excludeTables.",
          )
        : blocking(
            subject,
            `is not in publication ${name}, so its changes are not captured.`,
            "Run pulumi up again, which adds it.",
          ),
    ];
  if (publishingBreaksWrites(table))
    return [
      blocking(
        subject,
        "is published without a usable identity: its UPDATEs and DELETEs fail.",
        "Run pulumi up again, or run ALTER TABLE ... REPLICA IDENTITY FULL.",
      ),
    ];
  if (table.identity === "full" && best.because !== undefined)
    return [
      blocking(
        subject,
        `has FULL identity and ${best.because}: its UPDATEs and DELETEs fail.`,
        "Remove the cause, or put the table in excludeTables.",
      ),
    ];
  if (table.identity === "full" && entry.keyless)
    return [
      degraded(
        subject,
        "has FULL identity, although identity asks for its key: it has no key that can serve.",
        KEYLESS_REMEDY,
      ),
    ];
  if (asWanted) return [];
  return [
    best.identity === "full"
      ? blocking(
          subject,
          "does not have FULL identity yet, so the row before a change is not captured.",
          "Run pulumi up again, which sets it.",
        )
      : degraded(
          subject,
          `is captured without the row before a change: it ${best.because ?? ""}.`,
          "Remove the cause to get whole rows.",
        ),
  ];
}

function newTableFindings(catalog: Catalog, trail: Trail): Finding[] {
  const { publication, trackNewTables } = trail;
  if (!trackNewTables || newTablesMode(catalog, publication, trail, trackNewTables) !== "next up") return [];
  const off = catalog.server.eventTriggersOff;
  if (off.length > 0 && idleTriggers(catalog, publication).length === 0)
    return off.map((setting) =>
      degraded(
        "New tables",
        `are tracked from the next up on, not from their first row: ${setting.name} is off ${forWhom(setting)}, so event triggers do not fire.`,
        `Run ${resetSql(setting)}, and pulumi up again. Until then, run pulumi up after each migration that creates tables.`,
      ),
    );
  if (tracksNewTables(catalog, publication))
    return [
      degraded(
        "New tables",
        `are tracked from the next up on, not from their first row: the event trigger fails without the view ${LOCK_VIEW_SQL}.`,
        "Run pulumi up again, which makes it.",
      ),
    ];
  return [
    degraded(
      "New tables",
      `are tracked from the next up on, not from their first row: ${catalog.server.currentRole} may not create event triggers here, or they were disabled.`,
      "Run pulumi up after each migration that creates tables.",
    ),
  ];
}

function forWhom({ role, database }: SettingFacts): string {
  const who = role === null ? "for all roles" : `for role ${role}`;
  return database === null ? who : `${who} in database ${database}`;
}

function resetSql({ name, role, database }: SettingFacts): string {
  if (role === null && database !== null) return `ALTER DATABASE ${quoteIdentifier(database)} RESET ${name}`;
  const who = `ALTER ROLE ${role === null ? "ALL" : quoteIdentifier(role)}`;
  return `${who}${database === null ? "" : ` IN DATABASE ${quoteIdentifier(database)}`} RESET ${name}`;
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

function findPublication(catalog: Catalog, name: string): PublicationFacts | undefined {
  return catalog.publications.find((publication) => publication.name === name);
}

function blocking(subject: string, message: string, remedy: string): Finding {
  return { severity: "blocking", subject, message, remedy };
}

function degraded(subject: string, message: string, remedy: string): Finding {
  return { severity: "degraded", subject, message, remedy };
}
