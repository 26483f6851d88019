import { capabilities } from "../../contract/capabilities";
import { UserError } from "../../contract/errors";
import type { Catalog, TableFacts } from "../../contract/catalog";
import { formatTableName } from "../catalog/tableNames";
import type { SelectedTables } from "./selection";
import { firstFew } from "../../contract/wording";

/**
 * Something a plan or a check has to say. `subject`, `message` and `remedy` read as sentences one after the other.
 * - `blocking`: writes of the app or the stream would fail;
 * - `degraded`: it works, with less than was asked for;
 * - `info`: worth knowing.
 */
export interface Finding {
  readonly severity: "blocking" | "degraded" | "info";
  readonly subject: string;
  readonly message: string;
  readonly remedy: string;
}

/** What stands in the way on the server's side, whatever the tables. `slot` is the name the consumer will use. */
export function serverFindings(catalog: Catalog, slot?: string): Finding[] {
  const { server, slots } = catalog;
  const findings: Finding[] = [];
  const block = (subject: string, message: string, remedy: string): void => {
    findings.push({ severity: "blocking", subject, message, remedy });
  };
  if (!capabilities(server.version).supported)
    block(
      `PostgreSQL ${formatVersion(server.version)}`,
      "is too old.",
      "Use a project with PostgreSQL 14 or newer.",
    );
  if (server.inRecovery)
    block(
      "The server",
      "is a read-only replica.",
      "Name the branch whose read-write endpoint is the primary.",
    );
  if (slot === undefined) return findings;
  const ours = slots.find(({ name }) => name === slot);
  if (ours === undefined && slots.length >= server.maxSlots)
    block(
      "The server",
      `has no free replication slot: all ${server.maxSlots} are taken (${firstFew(slots.map(({ name }) => name))}).`,
      "Drop one that nobody uses with pg_drop_replication_slot, or raise max_replication_slots.",
    );
  if (ours?.active !== true && server.senders >= server.maxSenders)
    block(
      "The server",
      `has no free WAL sender: all ${server.maxSenders} are in use.`,
      "Stop a consumer that is not needed, or raise max_wal_senders.",
    );
  return findings;
}

/** What the selection itself says: names that cannot be honoured, tables that cannot be tracked. */
export function selectionFindings(selection: SelectedTables): Finding[] {
  const findings: Finding[] = selection.rejected.map((rejected) => ({ severity: "blocking", ...rejected }));
  for (const subject of selection.missingExclusions)
    findings.push({
      severity: "degraded",
      subject,
      message: "is excluded, but there is no such table.",
      remedy: "Take it out of excludeTables.",
    });
  for (const { table, because } of selection.leftOut)
    findings.push({
      severity: "info",
      subject: formatTableName(table),
      message:
        because === "unlogged"
          ? "is left out: it is unlogged, so its changes are not in the write-ahead log."
          : "is left out: it belongs to an extension.",
      remedy: "",
    });
  return findings;
}

/** Only the owner of a table can set its identity and publish it. */
export function ownerFinding(table: TableFacts, { server }: Catalog): Finding {
  const { currentRole } = server;
  return {
    severity: "blocking",
    subject: formatTableName(table),
    message: `is owned by ${table.owner}, whose rights ${currentRole} does not have: only its owner can publish a table.`,
    remedy: `Have ${currentRole} made a member of ${table.owner} (GRANT), change the owner, or put it in excludeTables.`,
  };
}

/**
 * Throws one {@link UserError} with everything that blocks and the way out of each. Call before the first write: the
 * text says that nothing was changed.
 */
export function preflight(findings: readonly Finding[]): void {
  failOnBlocking(findings, "Nothing was changed, because of:");
}

/** Throws one {@link UserError} with the head and a line for each blocking problem, if there is any. */
export function failOnBlocking(findings: readonly Finding[], head: string): void {
  const blocking = describeFindings(findings, "blocking");
  if (blocking.length > 0) throw new UserError([head, ...blocking.map((line) => `  - ${line}`)].join("\n"));
}

/** One line per problem; tables that share a problem share a line, which names the first ten. */
export function describeFindings(findings: readonly Finding[], severity: Finding["severity"]): string[] {
  const groups = new Map<string, { subjects: Set<string>; finding: Finding }>();
  for (const finding of findings) {
    if (finding.severity !== severity) continue;
    const key = `${finding.message}\0${finding.remedy}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { subjects: new Set([finding.subject]), finding });
    else group.subjects.add(finding.subject);
  }
  return [...groups.values()].map(({ subjects, finding }) =>
    [
      subjects.size === 1 ? finding.subject : `${firstFew([...subjects], 10)}: each`,
      finding.message,
      finding.remedy,
    ]
      .filter((part) => part !== "")
      .join(" "),
  );
}

/** `17.10` for 170010. */
export function formatVersion(version: number): string {
  return `${Math.trunc(version / 10_000)}.${version % 10_000}`;
}
