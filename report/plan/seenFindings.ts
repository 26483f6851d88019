import { firstFew } from "../../provider/contract/wording";
import { selectionFindings, serverFindings, type Finding } from "../../provider/postgres/selection/findings";
import type { Code } from "../finding";
import { formatBytes, formatDuration, formatFactor } from "../units";
import { wasSeen, type Seen, type TrailFacts } from "./facts";
import { single, type FindingsInput, type Single } from "./single";
import type { PlannedTable } from "./tables";

/** What the project and the database show. */
export function seenFindings({ facts, selected, tables, days }: FindingsInput): Single[] {
  const { seen, settings, operations } = facts;
  if (!wasSeen(seen) || settings === undefined) return [];
  const isNew = operations.some(({ type, change }) => type === "Publication" && change === "create");
  return [
    ...serverFindings(seen.catalog, settings.slot).map((finding) => fromFinding(finding, "NB206")),
    ...projectFindings(seen, settings.logicalReplication, isNew),
    ...(selected === undefined ? [] : selectionFindings(selected).map((finding) => fromFinding(finding))),
    ...(selected?.tables.length === 0
      ? [
          single(
            "NB205",
            "warn",
            "The selection",
            "has no table, so no change is captured.",
            "Check schemas, tables and excludeTables.",
          ),
        ]
      : []),
    ...tables.flatMap((table) => tableFindings(table)),
    ...statisticsFindings(seen, tables, days),
    ...accessFindings(facts, seen, isNew),
    ...(isNew && !settings.dropSlotOnDestroy
      ? [
          single(
            "NB402",
            "note",
            `Replication slot ${settings.slot}`,
            "stays after a destroy, and then holds back write-ahead log until somebody drops it.",
            "Set dropSlotOnDestroy to true for stacks that come and go.",
          ),
        ]
      : []),
  ];
}

function projectFindings({ project }: Seen, mode: "enable" | "require", isNew: boolean): Single[] {
  const subject = `Project ${project.id}`;
  return [
    ...(project.logicalReplication || mode === "require"
      ? []
      : [
          single(
            "NB101",
            "warn",
            subject,
            "restarts all its computes once, because logical replication is turned on: every connection drops once.",
            "Run the up when your application can reconnect.",
          ),
          single(
            "NB102",
            "warn",
            subject,
            "keeps logical replication on: Neon cannot turn it off again.",
            "Try it on another project first.",
          ),
        ]),
    ...(isNew
      ? [
          single(
            "NB103",
            "note",
            "The compute",
            "no longer scales to zero while Bemi is connected, which costs compute time.",
            "",
          ),
        ]
      : []),
  ];
}

function tableFindings({ name, key, verdict, because, wal }: PlannedTable): Single[] {
  switch (verdict) {
    case "blocked":
      return [
        single(
          "NB203",
          "block",
          name,
          `cannot be tracked: it ${because}.`,
          "Put it in excludeTables, or remove the cause.",
        ),
      ];
    case "expensive":
      return [
        single(
          "NB201",
          "warn",
          name,
          `logs ${formatBytes((wal?.then ?? 0) - (wal?.now ?? 0))} more a day (${formatFactor((wal?.then ?? 0) / Math.max(1, wal?.now ?? 0))}): FULL logs the whole row before each change, values that are out of line included.`,
          key === "none"
            ? "Put it in excludeTables if its history is not worth that."
            : 'Set it to "primaryKey" in identity.tables if the row before a change is not worth that, or put it in excludeTables.',
        ),
      ];
    case "not captured":
      return [
        single(
          "NB202",
          "warn",
          name,
          `is not captured: it ${because}.`,
          "Give it a primary key, or put it in excludeTables.",
        ),
      ];
    case "key only":
      return [
        single(
          "NB202",
          "warn",
          name,
          `is captured without the row before a change: it ${because}.`,
          "Remove the cause to get whole rows.",
        ),
      ];
    case "keeps key":
      return [
        single(
          "NB208",
          "note",
          name,
          "keeps its key as replica identity, as identity asks: the row before a change is not captured.",
          "",
        ),
      ];
    case "changes":
    case "tracked":
      return [];
  }
}

/** An UPDATE that logs so much more than today, in bytes, is worth a word even if nobody knows how many there are. */
const LARGE_CHANGE = 4000;

function statisticsFindings(
  { statistics }: Seen,
  tables: readonly PlannedTable[],
  days: number | undefined,
): Single[] {
  if (days !== undefined || tables.length === 0) return [];
  const { windowSeconds } = statistics;
  const age = windowSeconds === null ? "of unknown age" : `${formatDuration(windowSeconds)} old`;
  return [
    single(
      "NB207",
      "note",
      "The server's statistics",
      `are ${age}, so write-ahead log and changes of a day are unknown.`,
      "Repeat it when the server has counted for a day, or lower --min-window.",
    ),
    ...tables
      .filter(({ bytesPerChange, verdict }) => verdict === "changes" && (bytesPerChange ?? 0) >= LARGE_CHANGE)
      .map(({ name, bytesPerChange }) =>
        single(
          "NB207",
          "note",
          name,
          `logs ${formatBytes(bytesPerChange ?? 0)} more with each UPDATE and DELETE.`,
          "",
        ),
      ),
  ];
}

function accessFindings({ settings, operations }: TrailFacts, { project }: Seen, isNew: boolean): Single[] {
  const findings: Single[] = [];
  const subject = `The IP Allow list of project ${project.id}`;
  const { ips } = project.allowedIps;
  const list = operations.find(({ type }) => type === "IpAllow");
  const own = settings?.allowedIps ?? [];
  if (list !== undefined && list.change !== "delete" && ips.length === 0 && own.length > 0)
    findings.push(
      single(
        "NB302",
        "warn",
        subject,
        `is empty, which admits everyone. Afterwards only ${firstFew(own)} may connect.`,
        "Make sure that your application and this machine are among them.",
      ),
    );
  if (list?.change === "delete" && ips.length > 0 && ips.every((entry) => own.includes(entry)))
    findings.push(
      single(
        "NB301",
        "warn",
        subject,
        "becomes empty, which opens the project to every address.",
        "Add an entry of your own first.",
      ),
    );
  if (settings?.createdBy === "api")
    findings.push(
      single(
        "NB303",
        isNew ? "warn" : "note",
        `Role ${settings.role}`,
        "is made through Neon's API, so it can also write all tables and bypasses row security.",
        'Use createdBy: "sql" on PostgreSQL 16 and newer.',
      ),
    );
  return findings;
}

function fromFinding({ severity, subject, message, remedy }: Finding, code?: Code): Single {
  switch (severity) {
    case "blocking":
      return single(code ?? "NB203", "block", subject, message, remedy);
    case "degraded":
      return single(code ?? "NB205", "warn", subject, message, remedy);
    case "info":
      return single(code ?? "NB204", "note", subject, message, remedy);
  }
}
