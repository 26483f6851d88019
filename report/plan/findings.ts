import { counted } from "../../provider/contract/wording";
import { selectionFindings, serverFindings, type Finding } from "../../provider/postgres/selection/findings";
import type { SelectedTables } from "../../provider/postgres/selection/selection";
import type { Code, ReportFinding } from "../finding";
import { formatBytes, formatDuration, formatFactor } from "../units";
import { wasSeen, type Exception, type Seen, type TrailFacts } from "./facts";
import type { PlannedTable } from "./tables";

/**
 * - `block`: the up fails, or must not run;
 * - `warn`: somebody should decide whether it is meant;
 * - `note`: worth knowing.
 */
export type PlanSeverity = "block" | "warn" | "note";

/** One finding about one or more objects. */
export interface PlanFinding extends Omit<ReportFinding<PlanSeverity>, "subject"> {
  /** The objects that it holds for, in the order of the report; empty: the message needs none. */
  readonly subjects: readonly string[];
  /** Why it was accepted; left out for one that counts. */
  readonly accepted?: string;
}

/** What the findings are made from. */
export interface FindingsInput {
  readonly facts: TrailFacts;
  /** `undefined` if nothing was seen. */
  readonly selected: SelectedTables | undefined;
  readonly tables: readonly PlannedTable[];
  /** Length of the statistics' window in days; `undefined`: too short, or unknown. */
  readonly days: number | undefined;
}

type Single = ReportFinding<PlanSeverity>;

const ORDER: readonly PlanSeverity[] = ["block", "warn", "note"];

/** Everything that a reviewer should know, the worst first. Objects with the same finding share it. */
export function planFindings(input: FindingsInput, exceptions: readonly Exception[]): PlanFinding[] {
  const singles = [...previewFindings(input), ...seenFindings(input)];
  const groups = new Map<string, { finding: Single; subjects: string[]; accepted?: string }>();
  for (const finding of singles) {
    const { code, severity, subject, message, remedy } = finding;
    const accepted = exceptions.find(
      (exception) =>
        exception.code === code && (exception.subject === undefined || exception.subject === subject),
    )?.reason;
    const key = JSON.stringify([code, severity, message, remedy, accepted]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { finding, subjects: [subject], accepted });
    else if (!group.subjects.includes(subject)) group.subjects.push(subject);
  }
  const findings = [...groups.values()].map(
    ({ finding: { code, severity, message, remedy }, subjects, accepted }): PlanFinding => ({
      code,
      severity,
      subjects: subjects.filter((subject) => subject !== ""),
      message,
      remedy,
      ...(accepted === undefined ? {} : { accepted }),
    }),
  );
  const rank = ({ severity, accepted }: PlanFinding): number =>
    accepted === undefined ? ORDER.indexOf(severity) : ORDER.length;
  return findings.sort((a, b) => rank(a) - rank(b));
}

/** The exceptions that no finding of the reports needs. */
export function unusedExceptions(
  exceptions: readonly Exception[],
  findings: readonly PlanFinding[],
): readonly Exception[] {
  return exceptions.filter(
    ({ code, subject }) =>
      !findings.some(
        (finding) =>
          finding.accepted !== undefined &&
          finding.code === code &&
          (subject === undefined || finding.subjects.includes(subject)),
      ),
  );
}

function previewFindings({ facts }: FindingsInput): Single[] {
  const { failures, drift, operations, seen } = facts;
  return [
    ...failures.map(({ text }) => single("NB501", "block", "", sentenceCase(text), "")),
    ...(wasSeen(seen)
      ? []
      : [
          single(
            "NB502",
            failures.length > 0 ? "note" : "warn",
            "",
            `The database was not looked at, so tables and costs are missing here: ${seen.notSeen}`,
            "",
          ),
        ]),
    ...drift
      // What Readiness says is the sum of what the others say.
      .filter(({ name }) => name !== "notReady" || drift.length === 1)
      .map(({ resource, name, text }) =>
        single(
          "NB401",
          "warn",
          resource,
          `was changed since the last up: ${name}: ${withStop(text)}`,
          "The up repairs it.",
        ),
      ),
    ...operations
      .filter(({ change }) => change === "delete" || change === "replace")
      .map(({ name, change }) =>
        single(
          "NB403",
          "warn",
          name,
          change === "delete"
            ? "is removed, and what it changed is put back."
            : "is replaced by another one.",
          "",
        ),
      ),
  ];
}

function seenFindings({ facts, selected, tables, days }: FindingsInput): Single[] {
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
            "keeps logical replication on for good: Neon cannot turn it off again.",
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

function tableFindings({ name, verdict, because, wal }: PlannedTable): Single[] {
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
          "Put it in excludeTables if its history is not worth that.",
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
        `is empty, which admits everyone. From then on only ${counted(own.length, "address")} may connect: ${own.join(", ")}.`,
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

function single(
  code: Code,
  severity: PlanSeverity,
  subject: string,
  message: string,
  remedy: string,
): Single {
  return { code, severity, subject, message, remedy };
}

function withStop(text: string): string {
  return text.replace(/\.?$/, ".");
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
