import { capabilities } from "../../contract/capabilities";
import { UserError } from "../../contract/errors";
import type { Catalog, TableFacts } from "../../contract/catalog";
import { formatTableName } from "../catalog/tableNames";
import { quoteIdentifier } from "../sql/quote";
import type { SelectedTables } from "./selection";
import { printable } from "../../contract/printable";
import { firstFew } from "../../contract/wording";

/** Something that a plan or a check reports. `subject`, `message` and `remedy` read as sentences one after the other. */
export interface Finding {
  /**
   * - `blocking`: writes of the application or the stream would fail;
   * - `degraded`: the trail works, with less than was asked for;
   * - `info`: worth knowing.
   */
  readonly severity: "blocking" | "degraded" | "info";
  /** The object, as the user knows it. */
  readonly subject: string;
  /** What is wrong with it. */
  readonly message: string;
  /** What to do about it; empty if nothing has to be done. */
  readonly remedy: string;
}

/** A finding that keeps the trail from working, or makes writes fail. */
export function blocking(subject: string, message: string, remedy: string): Finding {
  return { severity: "blocking", subject, message, remedy };
}

/** A finding with which the trail works, and captures less than was asked for. */
export function degraded(subject: string, message: string, remedy: string): Finding {
  return { severity: "degraded", subject, message, remedy };
}

/**
 * The problems of the server itself, whatever the tables.
 *
 * @param slot name of the slot that the consumer will use; without it, free slots and WAL senders are not checked
 */
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
  const existing = slots.find(({ name }) => name === slot);
  if (existing === undefined && slots.length >= server.maxSlots)
    block(
      "The server",
      `has no free replication slot: all ${server.maxSlots} are taken (${firstFew(slots.map(({ name }) => name))}).`,
      "Drop an unused slot with pg_drop_replication_slot, or raise max_replication_slots.",
    );
  if (existing?.active !== true && server.senders >= server.maxSenders)
    block(
      "The server",
      `has no free WAL sender: all ${server.maxSenders} are in use.`,
      "Stop a consumer that is not needed, or raise max_wal_senders.",
    );
  return findings;
}

/** The problems of a selection: names that cannot be honoured, and tables that cannot be tracked. */
export function selectionFindings(selected: SelectedTables): Finding[] {
  const findings: Finding[] = selected.rejected.map((rejected) => ({ severity: "blocking", ...rejected }));
  for (const { subject, argument, near } of selected.missing) {
    const named = argument === "excludeTables" ? "is excluded" : `is named in ${argument}`;
    findings.push({
      severity: "degraded",
      subject,
      message: `${named}, but there is no such table.`,
      remedy:
        near === undefined
          ? `Take it out of ${argument}, unless the table is yet to come.`
          : `Did you mean ${near}?`,
    });
  }
  for (const subject of selected.idleIdentities)
    findings.push({
      severity: "degraded",
      subject,
      message: "is named in identity.tables, but it is not tracked.",
      remedy: "Take it out of identity.tables, or select it.",
    });
  for (const { table, because } of selected.leftOut)
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

/** Lines about names in the arguments that no tracked table has: up carries the selection out, and perhaps it is not what was meant. */
export function exclusionWarnings(selected: SelectedTables): string[] {
  return describeFindings(selectionFindings(selected), "degraded").map((line) => `Warning: ${line}`);
}

/**
 * The problem of a table that our role does not own: only its owner can set its identity and publish it. What can be done
 * depends on the owner. On Neon, no SQL gives the rights of a role to another one that was made through its API or console.
 */
export function ownerFinding(table: TableFacts, { server, roles }: Catalog): Finding {
  const { currentRole } = server;
  const owner = roles.find(({ name }) => name === table.owner);
  const outOfReach = owner?.superuser === true || owner?.memberOf.includes("neon_superuser") === true;
  return {
    severity: "blocking",
    subject: formatTableName(table),
    message: `is owned by ${table.owner}, whose rights ${currentRole} does not have: only its owner can publish a table.`,
    remedy: outOfReach
      ? `Put it in excludeTables, or delete role ${table.owner} in Neon, which gives what it owns to the owner of the database: no SQL can do so for a role that was made in Neon's console or API.`
      : `Run GRANT ${quoteIdentifier(table.owner)} TO ${quoteIdentifier(currentRole)}, change the table's owner, or put it in excludeTables.`,
  };
}

/**
 * Call this before the first write: the error says that nothing was changed.
 *
 * @throws UserError with every blocking finding and its remedy, if there is one
 */
export function preflight(findings: readonly Finding[]): void {
  failOnBlocking(findings, "Nothing was changed, because of:");
}

/** @throws UserError with the head and a line for each blocking finding, if there is one */
export function failOnBlocking(findings: readonly Finding[], head: string): void {
  const blocking = describeFindings(findings, "blocking");
  if (blocking.length > 0) throw new UserError([head, ...blocking.map((line) => `  - ${line}`)]);
}

/** One printable line for each problem. Tables with the same problem share a line, which names the first ten of them. */
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
    printable(
      [
        subjects.size === 1 ? finding.subject : `${firstFew([...subjects], 10)}: each`,
        finding.message,
        finding.remedy,
      ]
        .filter((part) => part !== "")
        .join(" "),
    ),
  );
}

/** `17.10` for 170010. */
export function formatVersion(version: number): string {
  return `${Math.trunc(version / 10_000)}.${version % 10_000}`;
}
