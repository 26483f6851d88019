import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import { covers } from "../catalog/membership";
import { bestOf, publishingBreaksWrites } from "../catalog/publishability";
import { tablesByOid } from "../catalog/tableIndex";
import { formatTableName } from "../catalog/tableNames";
import { KEYLESS_REMEDY } from "../identity/keyFindings";
import { keepsKey, trackedTables, type TrackedTable } from "../identity/trackedTables";
import { blocking, degraded, ownerFinding, type Finding } from "../selection/findings";
import type { SelectedTables } from "../selection/selection";
import type { Trail } from "./trail";

/** What is wrong with tables: selected ones that are not captured as asked for, and excluded ones that are. */
export function tableFindings(catalog: Catalog, trail: Trail, selected: SelectedTables): Finding[] {
  const name = trail.publication;
  const publication = catalog.publications.find((facts) => facts.name === name);
  if (publication === undefined) return [];
  const byOid = tablesByOid(catalog);
  const exposed = selected.excluded.filter(
    (table) => covers(publication, table, byOid) && !table.partitioned && table.persistence === "permanent",
  );
  return [
    ...exposed.map((table) =>
      blocking(
        formatTableName(table),
        `is excluded, but publication ${name} publishes it, so its rows reach the consumer.`,
        "Run pulumi up again: it takes the table out.",
      ),
    ),
    ...heirFindings(catalog, selected),
    ...trackedTables(catalog, trail).flatMap((entry) => trackedFindings(catalog, publication, entry, byOid)),
  ];
}

/** Tables with children that are not tracked: what is written through such a table may be a row of a child. */
function heirFindings(catalog: Catalog, { tables, excluded }: SelectedTables): Finding[] {
  const settled = new Set([...tables, ...excluded].map(({ oid }) => oid));
  const parents = new Map(tables.map((table) => [table.oid, table]));
  return catalog.tables.flatMap((child) => {
    const parent = settled.has(child.oid) ? undefined : child.inheritsFrom.find((oid) => parents.has(oid));
    const facts = parent === undefined ? undefined : parents.get(parent);
    if (facts === undefined || child.persistence !== "permanent") return [];
    return [
      degraded(
        formatTableName(child),
        `inherits from ${formatTableName(facts)} and is not tracked: changes of its rows are not captured, not even those made through ${formatTableName(facts)}.`,
        "Select its schema too, or put it in excludeTables.",
      ),
    ];
  });
}

function trackedFindings(
  catalog: Catalog,
  publication: PublicationFacts,
  entry: TrackedTable,
  byOid: ReadonlyMap<number, TableFacts>,
): Finding[] {
  const { name } = publication;
  const { table } = entry;
  const subject = formatTableName(table);
  const best = bestOf(entry);
  const published = covers(publication, table, byOid);
  const asWanted = table.identity === "full" || keepsKey(entry);
  if (!table.mayAlter && !(published && asWanted)) return [ownerFinding(table, catalog)];
  if (!published)
    return [
      best.identity === "none"
        ? degraded(
            subject,
            `is not published: it ${best.because ?? ""}, and it has no key either.`,
            "Give it a primary key, or put it in excludeTables.",
          )
        : blocking(
            subject,
            `is not in publication ${name}, so its changes are not captured.`,
            "Run pulumi up again, which adds it.",
          ),
    ];
  if (publishingBreaksWrites(table))
    return [
      blocking(
        subject,
        "is published without a usable identity: its UPDATEs and DELETEs fail.",
        "Run pulumi up again, or run ALTER TABLE ... REPLICA IDENTITY FULL.",
      ),
    ];
  if (table.identity === "full" && best.because !== undefined)
    return [
      blocking(
        subject,
        `has FULL identity and ${best.because}: its UPDATEs and DELETEs fail.`,
        "Remove the cause, or put the table in excludeTables.",
      ),
    ];
  if (table.identity === "full" && entry.keyless)
    return [
      degraded(
        subject,
        "has FULL identity, although identity asks for its key: it has no key that can serve.",
        KEYLESS_REMEDY,
      ),
    ];
  if (asWanted) return [];
  return [
    best.identity === "full"
      ? blocking(
          subject,
          "does not have FULL identity yet, so the row before a change is not captured.",
          "Run pulumi up again, which sets it.",
        )
      : degraded(
          subject,
          `is captured without the row before a change: it ${best.because ?? ""}.`,
          "Remove the cause to get whole rows.",
        ),
  ];
}
