import type { PlanReport } from "./report";

/** Version of the shape of the document: raised when a field changes its meaning or goes. */
const JSON_VERSION = 1;

/** For programs: one JSON document, which is a {@link PlanReport} with a version. docs/plan.md describes it. */
export function renderJson(report: PlanReport): string {
  return `${JSON.stringify({ version: JSON_VERSION, ...report }, undefined, 2)}\n`;
}
