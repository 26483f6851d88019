import { counted } from "../../provider/contract/wording";
import { wasSeen, type TrailFacts, type TrailSettings } from "./facts";
import type { PlannedTable } from "./tables";

/** What a destroy of a trail does, a sentence each. */
export interface DestroyLines {
  readonly givesBack: readonly string[];
  readonly stays: readonly string[];
}

/** Who can read and reach what once the up is done, a sentence each. */
export function accessLines(
  { settings, seen, operations }: TrailFacts,
  tables: readonly PlannedTable[],
): string[] {
  if (settings === undefined) return [];
  const { role, createdBy, readAccess } = settings;
  return [
    createdBy === "sql"
      ? `Role ${role} (LOGIN, REPLICATION, read-only) can stream every change of every table of the database, whatever it is granted.`
      : `Role ${role} (made through Neon's API) can read and write every table of the branch, bypasses row security, and can stream every change.`,
    readAccess
      ? `Role ${role} can SELECT from ${placesOf(settings, numberOf(seen, tables))}, and from what is created there later.`
      : `Role ${role} is granted no SELECT.`,
    ...(operations.some(({ type }) => type === "IpAllow")
      ? [listLine(settings, seen)]
      : ["The IP Allow list is left alone."]),
  ];
}

/** What a destroy gives back, and what stays. */
export function destroyLines(
  { settings, operations, seen }: TrailFacts,
  tables: readonly PlannedTable[],
): DestroyLines {
  if (settings === undefined) return { givesBack: [], stays: [] };
  const { role, publication, slot, adopt, dropSlotOnDestroy } = settings;
  const full = numberOf(
    seen,
    tables.filter(({ identityThen }) => identityThen === "FULL"),
  );
  const adopted = adopt ? ", unless it was adopted" : "";
  return {
    givesBack: [
      `The replica identity that each of ${full} had before.`,
      `Publication ${publication} and role ${role} are removed${adopted}, with their privileges.`,
      ...(dropSlotOnDestroy ? [`Replication slot ${slot} is dropped.`] : []),
      ...(operations.some(({ type }) => type === "IpAllow")
        ? ["The entries that it added to the IP Allow list are removed."]
        : []),
    ],
    stays: [
      "Logical replication stays on, because Neon cannot turn it off.",
      ...(dropSlotOnDestroy ? [] : [`Replication slot ${slot} stays, and holds back write-ahead log.`]),
    ],
  };
}

/** The number of tables, where they were seen. */
function numberOf(seen: TrailFacts["seen"], tables: readonly PlannedTable[]): string {
  return wasSeen(seen) ? counted(tables.length, "table") : "the selected tables";
}

function placesOf({ selection }: TrailSettings, tables: string): string {
  if (selection.schemas !== undefined)
    return `${tables} in ${selection.schemas.length === 1 ? "schema" : "schemas"} ${selection.schemas.join(", ")}`;
  return selection.tables === undefined ? `${tables} in all schemas` : tables;
}

function listLine({ allowedIps = [] }: TrailSettings, seen: TrailFacts["seen"]): string {
  if (!wasSeen(seen)) return `The IP Allow list gets ${allowedIps.join(", ")}.`;
  const { ips } = seen.project.allowedIps;
  const missing = allowedIps.filter((entry) => !ips.includes(entry));
  const kept = ips.filter((entry) => !allowedIps.includes(entry)).length;
  const gets = missing.length === 0 ? `has ${allowedIps.join(", ")}` : `gets ${missing.join(", ")}`;
  const others = kept === 1 ? "1 other entry is kept" : `${kept} other entries are kept`;
  return `The IP Allow list ${gets}${kept === 0 ? "" : `; ${others}`}.`;
}
