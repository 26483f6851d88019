import { counted } from "../../provider/contract/wording";
import { sentence } from "../finding";
import { formatBytes, formatDuration } from "../units";
import { labelled } from "../wrap";
import type { CheckFacts } from "./facts";
import type { CheckedReport, CheckReport, CheckStatus } from "./report";
import { overall } from "./report";

const WIDTH = 80;

/** For people: a block for each trail, at most 80 columns wide. */
export function renderText(reports: readonly CheckReport[]): string {
  return `${reports.map(blockOf).join("\n\n")}\n`;
}

function blockOf(report: CheckReport): string {
  if (report.status === "unknown")
    return [`${report.trail.name}: could not be looked at`, ...labelled("  ", report.reason, WIDTH)].join(
      "\n",
    );
  const { facts, findings, status } = report;
  const { trail, readiness, login } = facts;
  return [
    `${trail.name} (${trail.projectId}, ${trail.branch}, ${trail.database}): ${status}`,
    ...findings.flatMap((finding) =>
      labelled(`  ${finding.severity.padEnd(9)}`, `${finding.code} ${sentence(finding)}`, WIDTH),
    ),
    ...labelled("  slot     ", describeSlot(facts), WIDTH),
    ...labelled(
      "  tables   ",
      `${counted(readiness.selected, "table")}: ${readiness.published} published, ${readiness.full} with the whole row before a change${keptKeys(readiness)}; new tables: ${readiness.newTables}`,
      WIDTH,
    ),
    ...labelled(
      "  login    ",
      login === undefined
        ? `not tried: the password of role ${trail.role} is not at hand`
        : `as ${trail.role}: ${login}`,
      WIDTH,
    ),
  ].join("\n");
}

function keptKeys({ keyIdentity }: CheckFacts["readiness"]): string {
  return keyIdentity === 0 ? "" : `, ${keyIdentity} with its key alone`;
}

function describeSlot({ slot, trail, readiness }: CheckFacts): string {
  if (slot === undefined) return `${trail.slot}: none`;
  const facts = [
    readiness.slotState,
    ...(slot.active
      ? [
          `read by ${slot.role ?? "a role that we may not see"} from ${slot.address ?? "an address that we may not see"}`,
          ...(slot.connectedSeconds === null ? [] : [`for ${formatDuration(slot.connectedSeconds)}`]),
          ...(slot.silentSeconds === null
            ? []
            : [`last message ${formatDuration(slot.silentSeconds)} ago (limit ${slot.senderTimeout})`]),
        ]
      : []),
    ...(slot.lagBytes === null ? [] : [`${formatBytes(slot.lagBytes)} not confirmed`]),
    ...(slot.retainedBytes === null ? [] : [`holds back ${formatBytes(slot.retainedBytes)}`]),
    ...(slot.walStatus === null ? [] : [`wal_status ${slot.walStatus}`]),
  ];
  return `${trail.slot}: ${facts.join(", ")}`;
}

/** Version of the shape of {@link renderJson}: raised when a field changes its meaning or goes. */
const JSON_VERSION = 1;

/** For programs: one JSON document, whose shape docs/check.md describes. */
export function renderJson(reports: readonly CheckReport[]): string {
  const trails = reports.map((report) =>
    report.status === "unknown"
      ? { status: report.status, trail: report.trail, reason: report.reason }
      : {
          status: report.status,
          trail: report.facts.trail,
          findings: report.findings,
          slot: report.facts.slot ?? null,
          tables: tablesOf(report),
          walLevel: report.facts.readiness.walLevel,
          newTables: report.facts.readiness.newTables,
          login: report.facts.login ?? "not tried",
        },
  );
  return `${JSON.stringify({ version: JSON_VERSION, status: overall(reports), trails }, undefined, 2)}\n`;
}

function tablesOf({ facts: { readiness } }: CheckedReport): Readonly<Record<string, number>> {
  return {
    selected: readiness.selected,
    published: readiness.published,
    full: readiness.full,
    keyIdentity: readiness.keyIdentity,
  };
}

/** The statuses by the numbers that Prometheus gets, which are the exit codes. */
export const STATUS_NUMBERS: Readonly<Record<CheckStatus, number>> = {
  alive: 0,
  degraded: 1,
  dead: 2,
  unknown: 3,
};

interface Metric {
  readonly name: string;
  readonly help: string;
  /** By labels besides those of the trail; left out: not known. */
  readonly values: (report: CheckReport) => readonly (readonly [labels: Labels, value: number | null])[];
}

type Labels = Readonly<Record<string, string>>;

function ofChecked(
  values: (report: CheckedReport) => readonly (readonly [labels: Labels, value: number | null])[],
): Metric["values"] {
  return (report) => (report.status === "unknown" ? [] : values(report));
}

const METRICS: readonly Metric[] = [
  {
    name: "status",
    help: "0: alive, 1: degraded, 2: dead or not set up, 3: could not be looked at",
    values: ({ status }) => [[{}, STATUS_NUMBERS[status]]],
  },
  {
    name: "finding",
    help: "1 for each code that the check reports",
    values: ofChecked(({ findings }) =>
      [...new Map(findings.map(({ code, severity }) => [code, severity]))].map(
        ([code, severity]) => [{ code, severity }, 1] as const,
      ),
    ),
  },
  {
    name: "tables",
    help: "Number of selected tables, of those published, of those with the replica identity FULL, and of those with their key alone",
    values: ofChecked((report) =>
      Object.entries(tablesOf(report)).map(([state, value]) => [{ state }, value] as const),
    ),
  },
  {
    name: "slot_active",
    help: "Whether a consumer is connected to the slot",
    values: ofChecked(({ facts: { slot } }) => [[{}, slot?.active === true ? 1 : 0]]),
  },
  {
    name: "slot_retained_bytes",
    help: "Write-ahead log that the slot holds back",
    values: ofChecked(({ facts: { slot } }) => [[{}, slot?.retainedBytes ?? null]]),
  },
  {
    name: "slot_lag_bytes",
    help: "Write-ahead log that the consumer has not confirmed",
    values: ofChecked(({ facts: { slot } }) => [[{}, slot?.lagBytes ?? null]]),
  },
  {
    name: "slot_idle_seconds",
    help: "For how long the slot has had no consumer (PostgreSQL 17 and newer)",
    values: ofChecked(({ facts: { slot } }) => [
      [{}, slot?.active === true ? 0 : (slot?.idleSeconds ?? null)],
    ]),
  },
];

/** For Prometheus, in its text format: for the textfile collector of the node exporter, or a push gateway. */
export function renderPrometheus(reports: readonly CheckReport[]): string {
  const lines = METRICS.flatMap(({ name, help, values }) => {
    const samples = reports.flatMap((report) =>
      values(report).flatMap(([labels, value]) =>
        value === null
          ? []
          : [`neon_bemi_${name}${labelText({ ...trailLabels(report), ...labels })} ${value}`],
      ),
    );
    return samples.length === 0
      ? []
      : [`# HELP neon_bemi_${name} ${help}`, `# TYPE neon_bemi_${name} gauge`, ...samples];
  });
  return `${lines.join("\n")}\n`;
}

function trailLabels(report: CheckReport): Labels {
  const { name, projectId, branch, database } =
    report.status === "unknown" ? report.trail : report.facts.trail;
  return {
    trail: name,
    ...(projectId === undefined ? {} : { project: projectId }),
    ...(branch === undefined ? {} : { branch }),
    ...(database === undefined ? {} : { database }),
  };
}

function labelText(labels: Labels): string {
  const escaped = (text: string): string =>
    text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",")}}`;
}
