import type { DriftName } from "../../provider/contract/drift";
import { bySeverity, type ReportFinding } from "../finding";
import { formatBytes, formatDuration } from "../units";
import type { CheckFacts, SlotDetails, Thresholds } from "./facts";

/**
 * - `dead`: changes are not captured, or will not be after the consumer's next connection, or the application's writes
 *   fail;
 * - `degraded`: the trail captures changes, with less than was asked for or with a risk;
 * - `note`: worth knowing.
 */
export type CheckSeverity = "dead" | "degraded" | "note";

export type CheckFinding = ReportFinding<CheckSeverity>;

const ORDER: readonly CheckSeverity[] = ["dead", "degraded", "note"];

/** Neon removes a slot whose consumer confirms nothing for about so many hours. */
const NEON_REMOVES_AFTER_HOURS = 40;

/** The output plugin that consumers of a publication use. */
const PLUGIN = "pgoutput";

/** Drift that the findings of Readiness or of the slot say already, in more detail. */
const SAID: readonly DriftName[] = [
  "notReady",
  "identityNotFull",
  "notPublished",
  "writesRefused",
  "roleAttributesLost",
];

/** Everything that is wrong with a trail, the worst first. */
export function checkFindings(facts: CheckFacts, thresholds: Thresholds): CheckFinding[] {
  return bySeverity(
    [...readinessFindings(facts), ...slotFindings(facts, thresholds), ...driftFindings(facts)],
    ORDER,
  );
}

function readinessFindings({ findings, trail }: CheckFacts): CheckFinding[] {
  return findings.flatMap((finding): CheckFinding[] => {
    const { severity, subject, message, remedy, ofTable, writesFail } = finding;
    // What Readiness says of the slot is said below, with what only a check knows.
    if (subject === `Replication slot ${trail.slot}`) return [];
    if (severity === "info") return [];
    if (ofTable)
      return [{ code: "NB602", severity: writesFail ? "dead" : "degraded", subject, message, remedy }];
    return severity === "blocking"
      ? [{ code: "NB601", severity: "dead", subject, message, remedy }]
      : [{ code: "NB612", severity: "degraded", subject, message, remedy }];
  });
}

function slotFindings({ slot, trail }: CheckFacts, thresholds: Thresholds): CheckFinding[] {
  const subject = `Replication slot ${trail.slot}`;
  if (slot === undefined)
    return [
      {
        code: "NB603",
        severity: "dead",
        subject,
        message:
          "does not exist: no consumer has connected yet, or the slot was removed, so no change is captured.",
        remedy:
          "Enter the connection details in Bemi, which creates the slot. Changes from before that are not captured.",
      },
    ];
  if (slot.walStatus === "lost" || slot.invalidated !== null)
    return [
      {
        code: "NB604",
        severity: "dead",
        subject,
        message: `is lost${slot.invalidated === null ? "" : ` (${slot.invalidated})`}: the server has removed write-ahead log that the consumer still needed.`,
        remedy: `Drop it with SELECT pg_drop_replication_slot('${trail.slot}'). The consumer then makes a new one; the changes in between are missing.`,
      },
    ];
  const because = unusableBecause(slot, trail);
  if (because !== undefined)
    return [
      {
        code: "NB605",
        severity: "dead",
        subject,
        message: `${because}, so it does not serve this trail.`,
        remedy: "Give slot another name, or drop the slot if nothing else uses it.",
      },
    ];
  return [...consumerFindings(slot, subject, thresholds), ...logFindings(slot, subject, thresholds)];
}

function unusableBecause(slot: SlotDetails, trail: CheckFacts["trail"]): string | undefined {
  if (slot.database === null) return "is a physical one";
  if (slot.database !== trail.database) return `belongs to database ${slot.database}`;
  if (slot.plugin !== PLUGIN) return `has the plugin ${slot.plugin ?? "(unknown)"} instead of ${PLUGIN}`;
  if (slot.active && slot.role !== null && slot.role !== trail.role) return `is in use by role ${slot.role}`;
  return undefined;
}

function consumerFindings(
  slot: SlotDetails,
  subject: string,
  { maxIdleMinutes }: Thresholds,
): CheckFinding[] {
  if (slot.active) return [];
  const { idleSeconds } = slot;
  const long = idleSeconds !== null && idleSeconds >= maxIdleMinutes * 60;
  const since =
    idleSeconds === null
      ? "PostgreSQL before 17 does not say since when"
      : `for ${formatDuration(idleSeconds)}`;
  const left = NEON_REMOVES_AFTER_HOURS * 3600 - (idleSeconds ?? 0);
  const removal =
    idleSeconds === null
      ? `Neon removes such a slot after about ${NEON_REMOVES_AFTER_HOURS} hours`
      : left > 0
        ? `Neon removes such a slot after about ${NEON_REMOVES_AFTER_HOURS} hours, this one in about ${formatDuration(left)}`
        : `Neon removes such a slot after about ${NEON_REMOVES_AFTER_HOURS} hours, which have passed`;
  return [
    {
      code: "NB606",
      severity: long ? "dead" : "degraded",
      subject,
      message: `has no consumer (${since}), so changes wait in the write-ahead log. ${removal}; its changes are lost then.`,
      remedy: "Start the consumer: see the status of this database in Bemi, or the log of your worker.",
    },
  ];
}

function logFindings(
  { walStatus, retainedBytes, lagBytes, active }: SlotDetails,
  subject: string,
  { maxRetainedMb, maxLagMb }: Thresholds,
): CheckFinding[] {
  const findings: CheckFinding[] = [];
  const held = retainedBytes ?? 0;
  if (walStatus === "unreserved" || held > maxRetainedMb * 1e6)
    findings.push({
      code: "NB607",
      severity: "degraded",
      subject,
      message: `holds back ${formatBytes(held)} of write-ahead log${
        walStatus === "unreserved" ? ", which the server removes at its next checkpoint" : ""
      }.`,
      remedy: "Start the consumer, or find out why it lags.",
    });
  if (active && (lagBytes ?? 0) > maxLagMb * 1e6)
    findings.push({
      code: "NB608",
      severity: "degraded",
      subject,
      message: `has a consumer that is ${formatBytes(lagBytes ?? 0)} behind.`,
      remedy: "Find out whether it catches up; a long transaction delays it too.",
    });
  return findings;
}

function driftFindings({ drift, login, trail, readiness }: CheckFacts): CheckFinding[] {
  const findings: CheckFinding[] =
    login === "refused"
      ? [
          {
            code: "NB609",
            severity: "dead",
            subject: `Role ${trail.role}`,
            message: "cannot log in with the password in the stack's state, so Bemi cannot connect again.",
            remedy: "Run pulumi up, which mends it, and give Bemi the password that the stack then has.",
          },
        ]
      : [];
  for (const { resource, name, text } of drift) {
    if (SAID.includes(name) || name === "passwordChanged") continue;
    if (name === "logicalReplicationOff" && readiness.walLevel !== "logical") continue;
    findings.push(
      name === "missingEntries"
        ? {
            code: "NB610",
            severity: "dead",
            subject: "The IP Allow list of the project",
            message: `lacks ${text}, so Bemi cannot connect again.`,
            remedy: "Run pulumi up, which adds what is missing.",
          }
        : {
            code: "NB611",
            severity: name === "roleMayNotConnect" || name === "logicalReplicationOff" ? "dead" : "degraded",
            subject: resource,
            message: `was changed since the last up: ${name}: ${text.replace(/\.?$/, ".")}`,
            remedy: "Run pulumi up, which repairs it.",
          },
    );
  }
  return findings;
}
