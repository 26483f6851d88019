import type { ReportFinding } from "../finding";
import { wasSeen, type Exception } from "./facts";
import { seenFindings } from "./seenFindings";
import { single, type FindingsInput, type PlanSeverity, type Single } from "./single";

/** One finding about one or more objects. */
export interface PlanFinding extends Omit<ReportFinding<PlanSeverity>, "subject"> {
  /** The objects that it holds for, in the order of the report; empty: the message needs none. */
  readonly subjects: readonly string[];
  /** Why it was accepted; left out for one that counts. */
  readonly accepted?: string;
}

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
  const { failures, drift, operations, seen, settings } = facts;
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
    ...(wasSeen(seen) && settings?.copyAs !== undefined
      ? [
          single(
            "NB503",
            "note",
            settings.copyAs,
            `is made by this up. Tables and costs here are those of ${seen.branch}, from which it is copied.`,
            "",
          ),
        ]
      : []),
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

function withStop(text: string): string {
  return text.replace(/\.?$/, ".");
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
