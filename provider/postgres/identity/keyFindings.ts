import type { Catalog, TableFacts } from "../../contract/catalog";
import { formatTableName } from "../catalog/tableNames";
import { readRecord } from "../record/moduleSchema";
import { previousByOid } from "../record/previous";
import type { Finding } from "../selection/findings";
import { mayKeepKeys } from "../selection/identityChoice";
import type { Selection } from "../selection/selection";
import { claimOf } from "./claim";
import { trackedTables } from "./trackedTables";

/** What to do about a table that is asked to keep its key, and has none. */
export const KEYLESS_REMEDY =
  'Give it a primary key, set it to "full" in identity.tables, or put it in excludeTables.';

/**
 * The tables that the argument `identity` asks to keep their key as replica identity, and that have none. An up does not
 * begin with them, because their UPDATEs and DELETEs would fail once they are published.
 *
 * What the last up asked for already is no obstacle: the application has dropped a key since then, or made a table
 * without one. Such a table gets FULL, by the event trigger or the up. Nor is a table that the application has set to
 * FULL.
 */
export function keyFindings(
  catalog: Catalog,
  { publication, ...selection }: Selection & { readonly publication: string },
): Finding[] {
  if (!mayKeepKeys(selection.identity)) return [];
  const keyless = trackedTables(catalog, selection).filter((entry) => entry.keyless);
  if (keyless.length === 0) return [];
  const record = readRecord(catalog);
  const claimed = claimOf(record, publication)?.selections.at(-1);
  const tracked = new Map(
    claimed === undefined ? [] : trackedTables(catalog, claimed).map((entry) => [entry.table.oid, entry]),
  );
  const previous = previousByOid(record, catalog);
  return keyless.flatMap(({ table }): Finding[] => {
    const before = tracked.get(table.oid);
    if (before?.keyless === true || (before === undefined && table.identity === "full")) return [];
    return [
      {
        severity: "blocking",
        subject: formatTableName(table),
        ...reason(table, previous.get(table.oid)?.identity ?? "default"),
      },
    ];
  });
}

/** @param before the identity that the table gets back, where it is FULL now */
function reason(table: TableFacts, before: TableFacts["identity"]): Pick<Finding, "message" | "remedy"> {
  const identity = table.identity === "full" ? before : table.identity;
  const message = (why: string): string =>
    `cannot keep its key as replica identity, as identity asks: it ${why}, so its UPDATEs and DELETEs would fail.`;
  if (identity === "nothing" || identity === "index") {
    const has =
      identity === "nothing" ? "the replica identity NOTHING" : "an index as replica identity that is gone";
    return {
      message: message(`has ${has}`),
      remedy: `Run ALTER TABLE ... REPLICA IDENTITY DEFAULT if it has a primary key. Otherwise: ${KEYLESS_REMEDY}`,
    };
  }
  return { message: message("has no primary key that is not deferrable"), remedy: KEYLESS_REMEDY };
}
