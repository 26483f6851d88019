import { CODES, DOCS, type Code } from "../finding";
import type { PlanFinding } from "./findings";
import type { PlanReport, TrailReport } from "./report";
import { findingText } from "./text";

const LEVELS = { block: "error", warn: "warning", note: "note" } as const;

/** Where a finding belongs whose place in the program is not known. */
const PROJECT_FILE = { file: "Pulumi.yaml", line: 1 };

/** How many subjects the text of a result names; the others are among its locations. */
const NAMED = 10;

/** For code scanning: SARIF 2.1.0. A finding stands at the line that declares the trail. */
export function renderSarif(report: PlanReport, version: string): string {
  const results = [
    ...report.failures.map((text) => ({
      ruleId: "NB501" satisfies Code,
      level: LEVELS.block,
      message: { text },
      locations: [physical(PROJECT_FILE)],
    })),
    ...report.trails.flatMap((trail) => trail.findings.map((finding) => resultOf(finding, trail))),
  ];
  const used = new Set<string>(results.map(({ ruleId }) => ruleId));
  const rules = (Object.entries(CODES) as [Code, string][])
    .filter(([code]) => used.has(code))
    .map(([code, title]) => ({
      id: code,
      shortDescription: { text: title },
      help: { text: `${DOCS}#${code.toLowerCase()}` },
    }));
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "neon-bemi", semanticVersion: version, rules } },
        results,
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function resultOf(finding: PlanFinding, trail: TrailReport) {
  const { code, severity, subjects, accepted } = finding;
  return {
    ruleId: code,
    level: LEVELS[severity],
    message: { text: `${trail.name}: ${findingText({ ...finding, accepted: undefined }, NAMED)}` },
    locations: [
      {
        ...physical(trail.source ?? PROJECT_FILE),
        logicalLocations: subjects.map((fullyQualifiedName) => ({ fullyQualifiedName })),
      },
    ],
    // The same finding of a later run is the same alert.
    partialFingerprints: { finding: [trail.name, code, subjects[0] ?? ""].join("/") },
    ...(accepted === undefined
      ? {}
      : { suppressions: [{ kind: "external", status: "accepted", justification: accepted }] }),
  };
}

function physical({ file, line }: { readonly file: string; readonly line: number }) {
  return { physicalLocation: { artifactLocation: { uri: encodeURI(file) }, region: { startLine: line } } };
}
