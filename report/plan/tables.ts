import type { Catalog, TableFacts } from "../../provider/contract/catalog";
import { covers } from "../../provider/postgres/catalog/membership";
import { tablesByOid } from "../../provider/postgres/catalog/tableIndex";
import { formatTableName } from "../../provider/postgres/catalog/tableNames";
import { setByTrail, type FormerIdentity } from "../../provider/postgres/identity/claim";
import { keyFindings } from "../../provider/postgres/identity/keyFindings";
import { keepsKey, trackedTables, type TrackedTable } from "../../provider/postgres/identity/trackedTables";
import { readRecord } from "../../provider/postgres/record/moduleSchema";
import { mayKeepKeys } from "../../provider/postgres/selection/identityChoice";
import type { SelectedTables } from "../../provider/postgres/selection/selection";
import { LOCK_POLICY } from "../../provider/postgres/sql/lockPolicy";
import type { TrailSettings } from "./facts";
import type { Statistics, TableStatistics } from "./statistics";
import { loggedBefore, walBytes, type Logging } from "./wal";

/**
 * - `blocked`: it cannot be tracked, so the up fails;
 * - `expensive`: FULL multiplies what its changes cost;
 * - `not captured`: it is left out of the publication, because its writes would fail;
 * - `key only`: its changes are captured without the row before, because FULL is ruled out;
 * - `keeps key`: the same, because the argument `identity` asks for it;
 * - `changes`: it becomes tracked;
 * - `tracked`: nothing changes.
 */
export type Verdict =
  "blocked" | "expensive" | "not captured" | "key only" | "keeps key" | "changes" | "tracked";

/** The worst first. */
const ORDER: readonly Verdict[] = [
  "blocked",
  "expensive",
  "not captured",
  "key only",
  "keeps key",
  "changes",
  "tracked",
];

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
  const { catalog, settings } = input;
  const { selection, publication } = settings;
  const identities: Identities = {
    refused: new Set(keyFindings(catalog, { ...selection, publication }).map(({ subject }) => subject)),
    former: mayKeepKeys(selection.identity)
      ? setByTrail(readRecord(catalog), catalog, publication)
      : new Map<number, FormerIdentity>(),
  };
  return trackedTables(catalog, selection)
    .filter(({ table }) => !table.partitioned)
    .map((entry) => planned(entry, input, identities))
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

/** What the argument `identity` comes to. */
interface Identities {
  /** Names of the tables that are asked to keep their key, and have none. */
  readonly refused: ReadonlySet<string>;
  /** What the tables that the trail has set to FULL had before, by oid. */
  readonly former: ReadonlyMap<number, FormerIdentity>;
}

function planned(
  possible: TrackedTable,
  { catalog, statistics, settings, days }: TablesInput,
  { refused, former }: Identities,
): PlannedTable {
  const { table } = possible;
  const counted = statistics.tables.get(table.oid);
  const back = keepsKey(possible) ? former.get(table.oid) : undefined;
  const then: TableFacts = possible.full
    ? { ...table, identity: "full", identityIndex: null }
    : { ...table, ...back };
  const publication = catalog.publications.find(({ name }) => name === settings.publication);
  const published = publication !== undefined && covers(publication, table, tablesByOid(catalog));
  const before = loggedBefore(then);
  const wal =
    counted === undefined || days === undefined ? null : walOf(table, counted, catalog, before, days);
  const lock = lockOf({ identity: then.identity !== table.identity, published });
  const { verdict, because } = refused.has(formatTableName(table))
    ? {
        verdict: "blocked" as const,
        because: "is asked by identity to keep its key, and has none that can serve",
      }
    : verdictOn(table, { possible, then: then.identity, published, settings, wal });
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
    identityThen: identityText(then),
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
    readonly possible: TrackedTable;
    /** The identity after the up. */
    readonly then: TableFacts["identity"];
    readonly published: boolean;
    readonly settings: TrailSettings;
    readonly wal: DailyWal | null;
  },
): Pick<PlannedTable, "verdict" | "because"> {
  const { possible, then, published, settings, wal } = about;
  const because = possible.because ?? "";
  const done = published && (table.identity === "full" || keepsKey(possible));
  if (!table.mayAlter && !done)
    return { verdict: "blocked", because: `belongs to ${table.owner}, and only its owner can publish it` };
  if (possible.best === "none")
    return {
      verdict: settings.selection.tables === undefined ? "not captured" : "blocked",
      because: `${because}, and it has no key either`,
    };
  if (keepsKey(possible) && then !== "full") return { verdict: "keeps key", because: "" };
  if (possible.best === "key" && because !== "") return { verdict: "key only", because };
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
