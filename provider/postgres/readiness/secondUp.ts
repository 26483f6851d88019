import type { Catalog } from "../../contract/catalog";
import { formatTableName } from "../catalog/tableNames";
import { trackedTables } from "../identity/trackedTables";
import type { Finding } from "../selection/findings";
import type { Trail } from "./trail";

/**
 * The findings of a preview that this up cannot mend and the next one does. Identities are decided beside the publications
 * as they are (catalog/publishability.ts). Where somebody has made the publication again without a generated column, the
 * table gets its identity back at once, because its writes are refused. This up makes the publication publish the column,
 * and the next one makes the table FULL.
 *
 * @param now the catalog before the up
 * @param expected the catalog after it
 */
export function needsSecondUp(
  findings: readonly Finding[],
  now: Catalog,
  expected: Catalog,
  trail: Trail,
): Finding[] {
  const blocking = findings.filter(({ severity }) => severity === "blocking");
  // Nearly always, and the rest looks at each table twice.
  if (blocking.length === 0) return [];
  const ruledOut = new Set(
    trackedTables(now, trail).flatMap(({ best, table }) => (best === "full" ? [] : [table.oid])),
  );
  const waiting = new Set(
    trackedTables(expected, trail).flatMap(({ best, table }) =>
      best === "full" && table.identity !== "full" && ruledOut.has(table.oid) ? [formatTableName(table)] : [],
    ),
  );
  return blocking.filter(({ subject }) => waiting.has(subject));
}
