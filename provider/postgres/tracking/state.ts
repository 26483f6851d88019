import type { Catalog, EventTriggerFacts } from "../../contract/catalog";
import { decodeMark } from "../ownership/mark";
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

/**
 * Whether an event trigger with one of the two names exists: enabled or not, made by this module or by somebody else.
 */
export function hasTracking(catalog: Catalog, publication: string): boolean {
  return namedTriggers(catalog, publication).length > 0;
}

/** The event triggers of this publication that carry a mark of this module. */
export function ownTriggers(catalog: Catalog, publication: string): EventTriggerFacts[] {
  return namedTriggers(catalog, publication).filter(({ comment }) => decodeMark(comment) !== undefined);
}

function namedTriggers(catalog: Catalog, publication: string): EventTriggerFacts[] {
  const { identityTrigger, publishTrigger } = ownNames(publication);
  return catalog.eventTriggers.filter(({ name }) => name === identityTrigger || name === publishTrigger);
}

/**
 * Whether the module's publication publishes new tables by itself: it is for all tables, or it lists a partitioned
 * table without a key, whose new partitions it publishes. UPDATE and DELETE on such a new table fail unless an event
 * trigger sets its identity, so the event triggers must stay until the publication has changed.
 */
export function reliesOnTracking(catalog: Catalog, name: string): boolean {
  const publication = ownPublication(catalog, name);
  if (publication === undefined) return false;
  return (
    publication.allTables ||
    membersOf(catalog, name).some(({ partitioned, hasPrimaryKey }) => partitioned && !hasPrimaryKey)
  );
}
