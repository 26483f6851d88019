import type { SelectedTables } from "../../provider/postgres/selection/selection";
import type { Code, ReportFinding } from "../finding";
import type { TrailFacts } from "./facts";
import type { PlannedTable } from "./tables";

/**
 * - `block`: the up fails, or must not run;
 * - `warn`: somebody should decide whether it is meant;
 * - `note`: worth knowing.
 */
export type PlanSeverity = "block" | "warn" | "note";

/** What the findings are made from. */
export interface FindingsInput {
  readonly facts: TrailFacts;
  /** `undefined` if nothing was seen. */
  readonly selected: SelectedTables | undefined;
  readonly tables: readonly PlannedTable[];
  /** Length of the statistics' window in days; `undefined`: too short, or unknown. */
  readonly days: number | undefined;
}

/** A finding about one object. */
export type Single = ReportFinding<PlanSeverity>;

/** @param subject - the object; empty if the message needs none */
export function single(
  code: Code,
  severity: PlanSeverity,
  subject: string,
  message: string,
  remedy: string,
): Single {
  return { code, severity, subject, message, remedy };
}
