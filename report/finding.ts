/** One thing that a report says about a trail. Subject, message and remedy read as sentences one after the other. */
export interface ReportFinding<Severity extends string> {
  /** Stable; the key of {@link CODES}, and of the anchor in docs/plan.md or docs/check.md. */
  readonly code: Code;
  readonly severity: Severity;
  /** The object, as the user knows it. */
  readonly subject: string;
  /** What happens to it, or what is wrong with it, and why. */
  readonly message: string;
  /** What to do about it; empty if nothing has to be done. */
  readonly remedy: string;
}

/**
 * What each code stands for. A code never changes its meaning, because files of exceptions and dashboards name it.
 * NB1 is about the project, NB2 about tables, NB3 about access, NB4 about state, NB5 about the preview, NB6 about the
 * running trail.
 */
export const CODES = {
  NB101: "Every compute of the project restarts once",
  NB102: "Logical replication cannot be turned off again",
  NB103: "The compute no longer scales to zero",
  NB201: "FULL makes a table's changes expensive",
  NB202: "A table is captured without the row before a change",
  NB203: "A table cannot be tracked",
  NB204: "A table is left out",
  NB205: "The selection is perhaps not what was meant",
  NB206: "The server cannot serve a trail",
  NB207: "The statistics say too little",
  NB208: "A table keeps its key as replica identity",
  NB301: "The IP Allow list opens the project",
  NB302: "The IP Allow list closes the project",
  NB303: "The role can write",
  NB401: "Something was changed since the last up",
  NB402: "The replication slot stays after a destroy",
  NB403: "The trail, or a part of it, is removed or replaced",
  NB501: "The preview failed",
  NB502: "The database was not looked at",
  NB503: "What was looked at is the branch that is copied",
  NB601: "The trail is not ready",
  NB602: "A table is not captured as it should be",
  NB603: "No consumer has connected yet",
  NB604: "The replication slot is lost",
  NB605: "The replication slot cannot serve this trail",
  NB606: "The consumer is gone",
  NB607: "The slot holds back much write-ahead log",
  NB608: "The consumer is behind",
  NB609: "Bemi's role cannot log in",
  NB610: "Bemi's addresses are not allowed",
  NB611: "Something was changed since the last up",
  NB612: "The trail works with limits",
} as const;

/** Where the codes are explained. The package has no home page that a link could lead to. */
export const DOCS = "docs/plan.md of the package pulumi-neon-bemi";

export type Code = keyof typeof CODES;

/** The findings with the most severe ones first, otherwise in their order. */
export function bySeverity<Severity extends string, Kind extends ReportFinding<Severity>>(
  findings: readonly Kind[],
  order: readonly Severity[],
): Kind[] {
  return [...findings].sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** The finding as one text of sentences. */
export function sentence({
  subject,
  message,
  remedy,
}: Pick<ReportFinding<string>, "subject" | "message" | "remedy">): string {
  return [subject, message, remedy].filter((part) => part !== "").join(" ");
}
