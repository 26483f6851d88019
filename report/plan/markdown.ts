import { createHash } from "node:crypto";
import { counted } from "../../provider/contract/wording";
import { DOCS } from "../finding";
import { formatBytes, formatCount, formatDuration, formatFactor } from "../units";
import type { PlanFinding } from "./findings";
import type { PlanReport, TrailReport } from "./report";
import { findingParts, locksText, resourcesText, verdictText } from "./text";
import type { DailyWal, PlannedTable } from "./tables";

/** GitHub takes no longer comment, in characters. */
const LONGEST = 65_536;

/** How many subjects a finding names; the rest is counted. */
const NAMED = 10;

/**
 * For a comment on a pull request: what matters on top, the rest folded. The first line is a comment that nobody sees:
 * it names the stack, so that a later comment can replace this one, and has a digest, so that an equal one need not.
 */
export function renderMarkdown(report: PlanReport): string {
  const { stack, trails, failures, unusedExceptions } = report;
  const name = [stack.project, stack.name].filter((part) => part !== "").join("/");
  const head = [
    `### ${ICONS[report.verdict]} Audit trail${name === "" ? "" : ` of \`${name}\``}: ${escape(verdictText(report))}`,
    ...failures.map((text) => `> [!CAUTION]\n> ${oneLine(text)}`),
  ];
  const short = trails.map((trail) => summaryOf(trail).join("\n\n"));
  const folded = trails.flatMap((trail) => detailsOf(trail));
  const unused =
    unusedExceptions.length === 0
      ? []
      : [
          `Exceptions that nothing needs any more: ${unusedExceptions.map((each) => `\`${each}\``).join(", ")}.`,
        ];
  const codes = trails.some(({ findings }) => findings.length > 0)
    ? [`<sub>What the codes mean, and how to accept a finding: ${DOCS}</sub>`]
    : [];
  return fitted(`neon-bemi plan ${name}`, [...head, ...short, ...codes], [...folded, ...unused]);
}

const ICONS = { clean: "✅", warnings: "⚠️", blocked: "🛑" } as const;

const SEVERITIES = { block: "🛑", warn: "⚠️", note: "ℹ️" } as const;

function summaryOf(trail: TrailReport): string[] {
  const { name, headline, findings } = trail;
  const counting = findings.filter(({ accepted }) => accepted === undefined);
  const serious = counting.filter(({ severity }) => severity !== "note");
  return [
    `**${escape(name)}**: ${escape(headline)}.`,
    ...(serious.length === 0 ? [] : [findingList(serious)]),
  ];
}

function findingList(findings: readonly PlanFinding[]): string {
  return findings
    .map((finding) => {
      const { who, what } = findingParts(finding, NAMED);
      const icon = finding.accepted === undefined ? SEVERITIES[finding.severity] : "☑️";
      // What a finding is about is what a reader looks for.
      return [`- ${icon} ${finding.code}`, ...(who === "" ? [] : [`**${escape(who)}**`]), escape(what)].join(
        " ",
      );
    })
    .join("\n");
}

/** The folded parts, the most important first: what does not fit is left out from the end. */
function detailsOf(trail: TrailReport): string[] {
  const { name, findings, access, destroy, drift, steps } = trail;
  const other = findings.filter(({ severity, accepted }) => severity === "note" || accepted !== undefined);
  return [
    ...(trail.tables.length === 0 ? [] : [fold(`${name}: ${tablesTitle(trail)}`, tableOf(trail))]),
    ...(access.length === 0 ? [] : [fold(`${name}: who can read and reach what`, bullets(access))]),
    ...(destroy.givesBack.length === 0
      ? []
      : [
          fold(
            `${name}: what a destroy gives back, and what stays`,
            `${bullets(destroy.givesBack)}\n\nStays:\n\n${bullets(destroy.stays)}`,
          ),
        ]),
    ...(drift.length === 0
      ? []
      : [
          fold(
            `${name}: changed since the last up`,
            bullets(drift.map(({ resource, name: what, text }) => `${resource}: ${what}: ${text}`)),
          ),
        ]),
    ...(other.length === 0 ? [] : [fold(`${name}: ${counted(other.length, "note")}`, findingList(other))]),
    ...(steps.length === 0
      ? []
      : [
          fold(
            `${name}: what the up does (${resourcesText(trail)})`,
            bullets(steps.map(({ resource, text }) => `${resource}: ${text}`)),
          ),
        ]),
  ];
}

function tablesTitle({ tables, otherTables, windowSeconds }: TrailReport): string {
  const window = windowSeconds === null ? "" : `, statistics of ${formatDuration(windowSeconds)}`;
  return `${counted(tables.length + otherTables.count, "table")}, the worst first${window}`;
}

function tableOf(trail: TrailReport): string {
  const rows = trail.tables.map(rowOf).join("\n");
  const { count, changing, addedWal } = trail.otherTables;
  const more = addedWal === null ? "" : `, with +${formatBytes(Math.max(0, addedWal))} WAL a day`;
  const rest = count === 0 ? "" : `\n\n${counted(count, "more table")} (${changing} of them change)${more}.`;
  const total =
    trail.wal === null
      ? ""
      : `\n\nWAL of the whole database a day: ${formatBytes(trail.wal.now)} now, ${formatBytes(trail.wal.then)} then${
          trail.costPerMonth === undefined
            ? ""
            : `; the difference costs about ${trail.costPerMonth.toFixed(2)} a month`
        }.`;
  return `| table | verdict | WAL a day | changes a day | identity | rows | key |
| --- | --- | --- | ---: | --- | ---: | --- |
${rows}${rest}${total}\n\n${locksText(trail)}`;
}

function rowOf(table: PlannedTable): string {
  const { name, rows, key, identityNow, identityThen, changesPerDay, wal, verdict } = table;
  // The most important first: GitHub cuts a wide table on the right.
  const cells = [
    code(name),
    verdict,
    wal === null ? "unknown" : walText(wal),
    changesPerDay === null ? "unknown" : formatCount(changesPerDay),
    unbroken(escape(identityNow === identityThen ? identityNow : `${identityNow} → ${identityThen}`)),
    rows === null ? "unknown" : formatCount(rows),
    key === "primary key" ? "pk" : escape(key),
  ];
  return `| ${cells.join(" | ")} |`;
}

function walText({ now, then }: DailyWal): string {
  const [before, after] = [formatBytes(now), formatBytes(then)];
  if (before === after) return unbroken(before);
  const factor = now < 1 ? "" : ` (${formatFactor(then / now)})`;
  return unbroken(`${before} → ${after}${factor}`);
}

function unbroken(text: string): string {
  return text.replaceAll(" ", "&nbsp;");
}

function fold(title: string, content: string): string {
  return `<details><summary>${escape(title)}</summary>\n\n${content}\n\n</details>`;
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${escape(line)}`).join("\n");
}

/** What Markdown or HTML would take for its own: names of tables may contain anything. */
function escape(text: string): string {
  return oneLine(text).replace(/[\\`*_[\]<>|#~@]/g, (sign) =>
    sign === "@" ? "&#64;" : sign === "<" ? "&lt;" : `\\${sign}`,
  );
}

/** Inside of a cell, so that the name stays as it is. */
function code(text: string): string {
  const clean = oneLine(text).replaceAll("|", "\\|");
  return clean.includes("`") ? `\`\` ${clean} \`\`` : `\`${clean}\``;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** The parts with their marker, and without those that no longer fit, which a last line counts. */
function fitted(marker: string, top: readonly string[], folded: readonly string[]): string {
  const digest = createHash("sha256")
    .update([...top, ...folded].join("\n"))
    .digest("hex")
    .slice(0, 16);
  const first = `<!-- ${marker.replaceAll("--", "- -")} sha256:${digest} -->`;
  const render = (parts: readonly string[], cut: number): string => {
    const note = `_${counted(cut, "part")} did not fit into this comment. Run \`neon-bemi plan\` to see everything._`;
    return `${[first, ...parts, ...(cut === 0 ? [] : [note])].join("\n\n")}\n`;
  };
  const parts = [...top, ...folded];
  for (let kept = parts.length; kept > 0; kept--) {
    const text = render(parts.slice(0, kept), parts.length - kept);
    if (text.length < LONGEST) return text;
  }
  return render([], parts.length);
}
