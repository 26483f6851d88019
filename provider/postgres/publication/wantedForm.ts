import { capabilities } from "../../contract/capabilities";
import type { Catalog, PublicationFacts } from "../../contract/catalog";
import type { PublicationOutputs } from "../../contract/kinds/publication";
import { publishability } from "../catalog/publishability";
import type { Selection } from "../selection/selection";
import { tracksNewTables } from "../tracking/state";
import type { PublicationSelection } from "./members";

/** Whether a publication is FOR ALL TABLES or lists its tables. */
export type PublicationForm = PublicationOutputs["form"];

/**
 * The form a publication should have. Every owner may create a list, and it publishes no table before its identity is
 * set. A publication for all tables does publish such tables, so it is chosen only where all of this holds:
 * - everything is selected;
 * - no table of the database would have its UPDATEs and DELETEs refused;
 * - an event trigger sets the identity of tables to come;
 * - the server is older than PostgreSQL 18. From then on a migration can add a virtual generated column to a table
 *   without a key, and that table could not leave the publication.
 */
export function wantedForm(catalog: Catalog, selection: PublicationSelection): PublicationForm {
  if (!selectsEverything(selection)) return "table list";
  if (!selection.trackNewTables || !tracksNewTables(catalog, selection.name)) return "table list";
  if (capabilities(catalog.server.version).publishesGeneratedColumns) return "table list";
  const unsafe = catalog.tables.some(
    (table) => table.persistence === "permanent" && !publishability(table, catalog).safe,
  );
  return unsafe ? "table list" : "all tables";
}

/** Whether the selection is what a publication for all tables publishes. */
export function selectsEverything({ allTables, excludeTables = [] }: Selection): boolean {
  return allTables === true && excludeTables.length === 0;
}

/** The form a publication has. */
export function formOf(publication: PublicationFacts): PublicationForm {
  return publication.allTables ? "all tables" : "table list";
}
