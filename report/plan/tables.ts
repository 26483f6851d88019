import type { Catalog, TableFacts } from "../../provider/contract/catalog";
import { covers } from "../../provider/postgres/catalog/membership";
import { publishability, type Publishability } from "../../provider/postgres/catalog/publishability";
import { tablesByOid } from "../../provider/postgres/catalog/tableIndex";
import { formatTableName } from "../../provider/postgres/catalog/tableNames";
import type { SelectedTables } from "../../provider/postgres/selection/selection";
import { LOCK_POLICY } from "../../provider/postgres/sql/lockPolicy";
import type { TrailSettings } from "./facts";
import type { Statistics, TableStatistics } from "./statistics";
import { loggedBefore, walBytes, type Logging } from "./wal";

/**
 * - `blocked`: it cannot be tracked, so the up fails;
 * - `expensive`: FULL multiplies what its changes cost;
 * - `not captured`: it is left out of the publication, because its writes would fail;
 * - `key only`: its changes are captured without the row before;
 * - `changes`: it becomes tracked;
 * - `tracked`: nothing changes.
 */
export type Verdict = "blocked" | "expensive" | "not captured" | "key only" | "changes" | "tracked";

/** The worst first. */
const ORDER: readonly Verdict[] = ["blocked", "expensive", "not captured", "key only", "changes", "tracked"];

/** Write-ahead log of a day, in bytes: with the settings and identities of today, and with those after the up. */
export interface DailyWal {
  readonly now: number;
  readonly then: number;
}

/** A selected table that holds rows, in a report. */
export interface PlannedTable {
  readonly oid: number;
  readonly name: string;
  /** Estimated; `null` if the server has no estimate. */
  readonly rows: number | null;
  /** What names a row: `primary key`, `index NAME`, `none`. */
  readonly key: string;
  /** Replica identities as SQL names them. */
  readonly identityNow: string;
  readonly identityThen: string;
  /** UPDATEs and DELETEs a day; `null` if the statistics say too little. */
  readonly changesPerDay: number | null;
  readonly wal: DailyWal | null;
  /** How many bytes more each UPDATE and DELETE logs; `null` before the first ANALYZE. */
  readonly bytesPerChange: number | null;
  /** The strongest lock that the up takes, and for how long others wait behind it at most. */
  readonly lock: string;
  readonly verdict: Verdict;
  /** Why, as the end of a sentence about the table; empty if there is nothing to say. */
  readonly because: string;
}

/** More log than this in a day is expensive, whatever the factor. */
const EXPENSIVE_BYTES = 1e9;
/** So is a table whose log grows by this factor, if it is this much more in a day. */
const EXPENSIVE_FACTOR = 4;
const EXPENSIVE_FACTOR_BYTES = 1e8;

const DAY = 86_400;

/** The window in days if it is long enough to say something about a day. */
export function daysOf({ windowSeconds }: Statistics, minWindowHours: number): number | undefined {
  return windowSeconds !== null && windowSeconds >= minWindowHours * 3600 ? windowSeconds / DAY : undefined;
}

/** What is planned from. */
export interface TablesInput {
  readonly catalog: Catalog;
  readonly statistics: Statistics;
  readonly settings: TrailSettings;
  readonly selected: SelectedTables;
  /** Length of the window; `undefined`: too short. */
  readonly days: number | undefined;
}

/** The selected tables that hold rows, the worst first. */
export function plannedTables(input: TablesInput): PlannedTable[] {
  return input.selected.tables
    .filter(({ partitioned }) => !partitioned)
    .map((table) => planned(table, input))
    .sort(
      (a, b) =>
        ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) ||
        added(b) - added(a) ||
        (b.rows ?? 0) - (a.rows ?? 0),
    );
}

/**
 * The write-ahead log of a day of the whole database; `undefined` if the statistics say too little. Tables that are not
 * selected count too: with logical replication, their UPDATEs also log whole new rows.
 */
export function dailyWal(
  { catalog, statistics, days }: TablesInput,
  tables: readonly PlannedTable[],
): DailyWal | undefined {
  if (days === undefined) return undefined;
  const selected = new Map(tables.map((table) => [table.oid, table]));
  const sum = { now: 0, then: 0 };
  for (const table of catalog.tables) {
    const counted = statistics.tables.get(table.oid);
    const wal =
      selected.get(table.oid)?.wal ??
      (counted === undefined ? null : walOf(table, counted, catalog, loggedBefore(table), days));
    sum.now += wal?.now ?? 0;
    sum.then += wal?.then ?? 0;
  }
  return sum;
}

function planned(table: TableFacts, { catalog, statistics, settings, days }: TablesInput): PlannedTable {
  const counted = statistics.tables.get(table.oid);
  const possible = publishability(table, catalog);
  const full = possible.full || table.identity === "full";
  const publication = catalog.publications.find(({ name }) => name === settings.publication);
  const published = publication !== undefined && covers(publication, table, tablesByOid(catalog));
  const before = full ? "row" : loggedBefore(table);
  const wal =
    counted === undefined || days === undefined ? null : walOf(table, counted, catalog, before, days);
  const lock = lockOf({ identity: possible.full && table.identity !== "full", published });
  const { verdict, because } = verdictOn(table, { possible, published, settings, wal });
  return {
    oid: table.oid,
    name: formatTableName(table),
    rows: counted?.rows ?? null,
    key: table.hasPrimaryKey
      ? "primary key"
      : table.identityIndex === null
        ? "none"
        : `index ${table.identityIndex.name}`,
    identityNow: identityText(table),
    identityThen: full ? "FULL" : identityText(table),
    changesPerDay:
      counted === undefined || days === undefined ? null : (counted.updates + counted.deletes) / days,
    wal,
    bytesPerChange: counted === undefined ? null : perChange(counted, loggedBefore(table), before),
    lock: verdict === "blocked" ? "none" : lock,
    verdict,
    because,
  };
}

function walOf(
  table: TableFacts,
  counted: TableStatistics,
  catalog: Catalog,
  before: Logging["before"],
  days: number,
): DailyWal | null {
  const { inlineBytes } = counted;
  if (inlineBytes === null)
    return counted.inserts + counted.updates + counted.deletes === 0 ? { now: 0, then: 0 } : null;
  const changes = { ...counted, inlineBytes };
  const logical = catalog.server.walLevel === "logical";
  return {
    now: walBytes(changes, { logical, before: loggedBefore(table) }) / days,
    then: walBytes(changes, { logical: true, before }) / days,
  };
}

/** What one UPDATE that leaves the values out of line alone logs more than today. */
function perChange(counted: TableStatistics, now: Logging["before"], then: Logging["before"]): number | null {
  const { inlineBytes } = counted;
  if (inlineBytes === null) return null;
  const one = { ...counted, inlineBytes, inserts: 0, updates: 1, hotUpdates: 1, deletes: 0, pieceDeletes: 0 };
  return walBytes(one, { logical: true, before: then }) - walBytes(one, { logical: true, before: now });
}

function lockOf(does: { readonly identity: boolean; readonly published: boolean }): string {
  const wait = `others wait at most ${LOCK_POLICY.attempt} behind each try`;
  if (does.identity) return `ACCESS EXCLUSIVE, ${wait}`;
  return does.published ? "none" : `SHARE UPDATE EXCLUSIVE, ${wait}`;
}

function verdictOn(
  table: TableFacts,
  about: {
    readonly possible: Publishability;
    readonly published: boolean;
    readonly settings: TrailSettings;
    readonly wal: DailyWal | null;
  },
): Pick<PlannedTable, "verdict" | "because"> {
  const { possible, published, settings, wal } = about;
  const because = possible.because ?? "";
  const done = published && table.identity === "full";
  if (!table.mayAlter && !done)
    return { verdict: "blocked", because: `belongs to ${table.owner}, and only its owner can publish it` };
  if (possible.best === "none")
    return {
      verdict: settings.selection.tables === undefined ? "not captured" : "blocked",
      because: `${because}, and it has no key either`,
    };
  if (possible.best === "key") return { verdict: "key only", because };
  if (wal !== null && isExpensive(wal)) return { verdict: "expensive", because: "" };
  return { verdict: done ? "tracked" : "changes", because: "" };
}

function isExpensive({ now, then }: DailyWal): boolean {
  const more = then - now;
  return more >= EXPENSIVE_BYTES || (more >= EXPENSIVE_FACTOR_BYTES && then >= now * EXPENSIVE_FACTOR);
}

function added({ wal, bytesPerChange }: PlannedTable): number {
  return wal === null ? (bytesPerChange ?? 0) : wal.then - wal.now;
}

function identityText({ identity, identityIndex }: TableFacts): string {
  if (identity === "index") return identityIndex === null ? "INDEX (dropped)" : `INDEX ${identityIndex.name}`;
  return identity.toUpperCase();
}
