import type { CheckedTrail, CheckFacts, Thresholds } from "./facts";
import { checkFindings, type CheckFinding } from "./findings";

/**
 * - `alive`: changes are captured;
 * - `degraded`: they are, with limits or at risk;
 * - `dead`: they are not, or will not be after the consumer's next connection, or the trail is not set up;
 * - `unknown`: the check could not look.
 */
export type CheckStatus = "alive" | "degraded" | "dead" | "unknown";

/** What a check says about one trail. */
export interface CheckedReport {
  readonly status: Exclude<CheckStatus, "unknown">;
  readonly facts: CheckFacts;
  readonly findings: readonly CheckFinding[];
}

/** A trail that could not be looked at. */
export interface UnknownReport {
  readonly status: "unknown";
  readonly trail: Partial<CheckedTrail> & Pick<CheckedTrail, "name">;
  /** Why. */
  readonly reason: string;
}

export type CheckReport = CheckedReport | UnknownReport;

/** The report about a trail that was looked at. */
export function checkReport(facts: CheckFacts, thresholds: Thresholds): CheckedReport {
  const findings = checkFindings(facts, thresholds);
  const worst = findings[0]?.severity;
  return { status: worst === "dead" || worst === "degraded" ? worst : "alive", facts, findings };
}

/** What the trails come to together: the worst of them, where `dead` is worse than `unknown`. */
export function overall(reports: readonly CheckReport[]): CheckStatus {
  const order: readonly CheckStatus[] = ["dead", "unknown", "degraded", "alive"];
  return order.find((status) => reports.some((report) => report.status === status)) ?? "unknown";
}
