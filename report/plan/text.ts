import { counted, firstFew } from "../../provider/contract/wording";
import { formatBytes, formatCount, formatDuration, formatFactor } from "../units";
import { labelled, wrap } from "../wrap";
import type { PlanFinding } from "./findings";
import type { PlanReport, TrailReport } from "./report";
import type { PlannedTable } from "./tables";

const WIDTH = 80;

/** How many subjects a finding names; the rest is counted. */
const NAMED = 3;

/** For a terminal: at most 80 columns wide, and about one screen for a trail, whatever the number of tables. */
export function renderText(report: PlanReport): string {
  const { stack, failures, trails, unusedExceptions } = report;
  const blocks = [
    [
      `${[stack.project, stack.name].filter((part) => part !== "").join("/") || "stack"}: ${verdictText(report)}`,
    ],
    ...(failures.length === 0 ? [] : [failures.flatMap((text) => labelled("BLOCK NB501 ", text, WIDTH))]),
    ...trails.map(trailLines),
    ...(unusedExceptions.length === 0
      ? []
      : [wrap(`Exceptions that nothing needs any more: ${unusedExceptions.join(", ")}.`, WIDTH)]),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** The verdict in words. */
export function verdictText({ verdict, trails }: PlanReport): string {
  if (trails.length === 0 && verdict === "clean") return "no audit trail in this preview";
  const findings = trails.flatMap((trail) => trail.findings).filter(({ accepted }) => accepted === undefined);
  const count = (severity: PlanFinding["severity"]): number =>
    findings.filter((each) => each.severity === severity).length;
  const parts = [
    ...(count("block") > 0 ? [`${counted(count("block"), "finding")} to solve first`] : []),
    ...(count("warn") > 0 ? [counted(count("warn"), "warning")] : []),
  ];
  return parts.length > 0 ? parts.join(", ") : verdict === "blocked" ? "the preview failed" : "no warnings";
}

/** What the preview does with the resources: `9 to create, 1 to update`. */
export function resourcesText({ resources }: TrailReport): string {
  const parts = Object.entries(resources)
    .filter(([change]) => change !== "none")
    .map(([change, number]) => `${number} to ${change}`);
  return parts.length === 0 ? "no resource changes" : parts.join(", ");
}

/** Which locks the up takes, and for how long others wait behind it. */
export function locksText({ tables }: TrailReport): string {
  // The worst first: no table that is not listed needs a stronger lock than all of those that are.
  const locks = tables.map(({ lock }) => lock);
  const strongest = locks.find((lock) => lock.startsWith("ACCESS")) ?? locks.find((lock) => lock !== "none");
  return strongest === undefined ? "No table is locked." : `Locks: ${strongest}; one table after the other.`;
}

/** The first subjects of a finding, and what it says about them, in sentences. `who` is empty if it has no subject. */
export function findingParts(
  { subjects, message, remedy, accepted }: PlanFinding,
  named: number,
): { readonly who: string; readonly what: string } {
  const each = subjects.length > 1 ? ["each"] : [];
  const reason = accepted === undefined ? [] : [`Accepted: ${accepted}`];
  const end = remedy === "" || accepted !== undefined ? [] : [remedy];
  return {
    who: `${firstFew(subjects, named)}${subjects.length > 1 ? ":" : ""}`,
    what: [...each, message, ...end, ...reason].join(" "),
  };
}

/** A finding as one text of sentences, with its first subjects. */
export function findingText(finding: PlanFinding, named: number): string {
  const { who, what } = findingParts(finding, named);
  return who === "" ? what : `${who} ${what}`;
}

function trailLines(trail: TrailReport): string[] {
  const { name, headline, findings, access, destroy } = trail;
  return [
    ...wrap(`${name}: ${headline}`, WIDTH),
    `  ${resourcesText(trail)}${costText(trail)}`,
    ...findings.flatMap((finding) =>
      labelled(`  ${labelOf(finding)} ${finding.code} `, findingText(shortened(finding), NAMED), WIDTH),
    ),
    ...tableLines(trail),
    ...labelled("  access   ", access.join(" "), WIDTH).slice(access.length === 0 ? 1 : 0),
    ...(destroy.givesBack.length === 0
      ? []
      : [
          ...labelled("  destroy  ", destroy.givesBack.join(" "), WIDTH),
          ...labelled("  stays    ", destroy.stays.join(" "), WIDTH),
        ]),
  ];
}

/** A note without its way out, which the documentation has: the terminal has one screen. */
function shortened(finding: PlanFinding): PlanFinding {
  return finding.severity === "note" ? { ...finding, remedy: "" } : finding;
}

function costText({ costPerMonth }: TrailReport): string {
  return costPerMonth === undefined
    ? ""
    : `; the additional WAL costs about ${costPerMonth.toFixed(2)} a month`;
}

function labelOf({ severity, accepted }: PlanFinding): string {
  if (accepted !== undefined) return "ok   ";
  return severity === "block" ? "BLOCK" : severity === "warn" ? "WARN " : "note ";
}

const COLUMNS = [
  { title: "table", width: 27, right: false },
  { title: "rows", width: 5, right: true },
  { title: "key", width: 3, right: false },
  { title: "identity", width: 13, right: false },
  { title: "chg/d", width: 5, right: true },
  { title: "WAL/d", width: 7, right: true },
  { title: "then", width: 7, right: true },
  { title: "", width: 4, right: true },
] as const;

function tableLines(trail: TrailReport): string[] {
  // What is as expected is counted only: the terminal has one screen.
  const shown = trail.tables.filter(({ verdict }) => verdict !== "changes" && verdict !== "tracked");
  const first =
    shown.length > 0 ? shown : trail.tables.filter(({ verdict }) => verdict === "changes").slice(0, 5);
  if (trail.tables.length === 0) return [];
  const total = trail.tables.length + trail.otherTables.count;
  const rest = total - first.length;
  const rows = first.map(cellsOf);
  const window = trail.windowSeconds === null ? "" : ` Statistics of ${formatDuration(trail.windowSeconds)}.`;
  return [
    ...(first.length === 0 ? [] : [line(COLUMNS.map(({ title }) => title)), ...rows.map(line)]),
    ...labelled(
      "  ",
      `${locksText(trail)} ${rest === 0 ? `All ${counted(total, "table")} are listed.` : `${counted(rest, first.length === 0 ? "table" : "more table")} ${tail(trail, first)}.`}${window}`,
      WIDTH,
    ),
  ];
}

function tail({ tables, otherTables }: TrailReport, listed: readonly PlannedTable[]): string {
  const rest = tables.filter((table) => !listed.includes(table));
  const changing = rest.filter(({ verdict }) => verdict === "changes").length + otherTables.changing;
  const wal = rest.reduce(
    (sum, { wal: each }) => sum + (each?.then ?? 0) - (each?.now ?? 0),
    otherTables.addedWal ?? 0,
  );
  const all = rest.length + otherTables.count;
  const what =
    changing === 0
      ? "stay as they are"
      : changing === all
        ? "become tracked"
        : `(${changing} become tracked)`;
  return wal >= 1e5 ? `${what}, with +${formatBytes(wal)} WAL a day` : what;
}

function line(cells: readonly string[]): string {
  const padded = COLUMNS.map(({ width, right }, index) => {
    const cell = fit(cells[index] ?? "", width);
    return right ? cell.padStart(width) : cell.padEnd(width);
  });
  return `  ${padded.join(" ")}`.trimEnd();
}

/** The end of a name tells more than its beginning. */
function fit(text: string, width: number): string {
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`;
}

function cellsOf({ name, rows, key, identityNow, identityThen, changesPerDay, wal }: PlannedTable): string[] {
  const short = (identity: string): string => identity.replace(/^INDEX .*/, "INDEX").slice(0, 7);
  return [
    name,
    rows === null ? "?" : formatCount(rows),
    key === "primary key" ? "pk" : key === "none" ? "-" : "idx",
    identityNow === identityThen ? short(identityNow) : `${short(identityNow)}>${short(identityThen)}`,
    changesPerDay === null ? "?" : formatCount(changesPerDay),
    wal === null ? "?" : formatBytes(wal.now),
    wal === null ? "?" : formatBytes(wal.then),
    wal === null || wal.now < 1 ? "" : formatFactor(wal.then / wal.now),
  ];
}
