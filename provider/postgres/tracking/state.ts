import type { Catalog } from "../../contract/catalog";
import { ownNames } from "../ownership/ownNames";
import { ownPublication } from "../ownership/ownObjects";
import { membersOf } from "../catalog/membership";
import { takesNewTables } from "../selection/selection";

/**
 * When a table that is created later becomes tracked:
 * - `event trigger`: in the statement that creates it;
 * - `next up`: in the next `pulumi up`, because no event trigger may be made here or none is wanted;
 * - `not tracked`: never, because the selection names its tables one by one.
 */
export type NewTables = "event trigger" | "next up" | "not tracked";

/** When tables that are created later become tracked. Both `ReplicaIdentity` and `Readiness` report this. */
export function newTablesMode(
  catalog: Catalog,
  publication: string,
  selection: { readonly tables?: readonly string[] },
  trackNewTables: boolean,
): NewTables {
  if (trackNewTables && tracksNewTables(catalog, publication)) return "event trigger";
  return takesNewTables(selection) ? "next up" : "not tracked";
}

/** Whether both event triggers exist and are enabled. */
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
