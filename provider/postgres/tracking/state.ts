import type { Catalog } from "../../contract/catalog";
import { ownNames } from "../ownership/ownNames";
import { ownPublication } from "../ownership/ownObjects";
import { membersOf } from "../catalog/tableRules";
import { takesNewTables } from "../selection/selection";

/**
 * How tables that are created later come to be tracked:
 * - `event trigger`: at once, from their first row;
 * - `next up`: by the next run of `pulumi up`;
 * - `not tracked`: never, as the selection names its tables one by one.
 */
export type NewTables = "event trigger" | "next up" | "not tracked";

/**
 * How new tables come to be tracked by the trail of this publication, as the catalog is now. Event triggers count only
 * with `trackNewTables: true`; otherwise they are leftovers.
 */
export function newTablesMode(
  catalog: Catalog,
  publication: string,
  selection: { readonly tables?: readonly string[] },
  trackNewTables: boolean,
): NewTables {
  if (trackNewTables && tracksNewTables(catalog, publication)) return "event trigger";
  return takesNewTables(selection) ? "next up" : "not tracked";
}

/** Whether both event triggers are there and fire. */
export function tracksNewTables(catalog: Catalog, publication: string): boolean {
  const { identityTrigger, publishTrigger } = ownNames(publication);
  const firing = catalog.eventTriggers.filter(({ enabled }) => enabled).map(({ name }) => name);
  return firing.includes(identityTrigger) && firing.includes(publishTrigger);
}

/** Whether one of the event triggers is there, in whatever state, or one of somebody else's with its name. */
export function hasTracking(catalog: Catalog, publication: string): boolean {
  const { identityTrigger, publishTrigger } = ownNames(publication);
  return catalog.eventTriggers.some(({ name }) => name === identityTrigger || name === publishTrigger);
}

/**
 * Whether a publication of ours publishes new tables by itself: all, or new partitions of a table without key. Their
 * UPDATEs and DELETEs fail where no event trigger sets their identity, so event triggers must not go before that changes.
 */
export function reliesOnTracking(catalog: Catalog, name: string): boolean {
  const publication = ownPublication(catalog, name);
  if (publication === undefined) return false;
  return (
    publication.allTables ||
    membersOf(catalog, name).some(({ partitioned, hasPrimaryKey }) => partitioned && !hasPrimaryKey)
  );
}
