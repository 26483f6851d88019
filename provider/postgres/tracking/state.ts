import type { Catalog, EventTriggerFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import { encodeMark, type Mark } from "../ownership/mark";
import { ownNames } from "../ownership/ownNames";
import { isOwned, markOn, notOwned, ownPublication } from "../ownership/ownObjects";
import { membersOf } from "../catalog/membership";
import { hasLockView } from "../record/moduleSchema";
import { takesNewTables } from "../selection/selection";

/**
 * When a table that is created later becomes tracked:
 * - `event trigger`: in the statement that creates it;
 * - `next up`: in the next `pulumi up`, because no event trigger may be made here or none is wanted;
 * - `not tracked`: never, because the selection names its tables one by one.
 */
export type NewTables = "event trigger" | "next up" | "not tracked";

/**
 * When tables that are created later become tracked. Both `ReplicaIdentity` and `Readiness` report this. Without the view
 * that guards the record, the event trigger fires, and fails with a warning.
 */
export function newTablesMode(
  catalog: Catalog,
  publication: string,
  selection: { readonly tables?: readonly string[] },
  trackNewTables: boolean,
): NewTables {
  if (trackNewTables && tracksNewTables(catalog, publication) && hasLockView(catalog)) return "event trigger";
  return takesNewTables(selection) ? "next up" : "not tracked";
}

/** Whether the event trigger exists, is enabled, and no setting of the database or of our role keeps it from firing. */
export function tracksNewTables(catalog: Catalog, publication: string): boolean {
  return idleTriggers(catalog, publication).length === 0 && catalog.server.eventTriggersOff.length === 0;
}

/** Whether an event trigger of the name exists: enabled or not, made by this module or by somebody else. */
export function hasTracking(catalog: Catalog, publication: string): boolean {
  return namedTriggers(catalog, publication).length > 0;
}

/** The event trigger of this publication, if this module made it: it is the current role's, and carries a mark. */
export function ownTriggers(catalog: Catalog, publication: string): EventTriggerFacts[] {
  return namedTriggers(catalog, publication).filter((trigger) => markOn(trigger, catalog) !== undefined);
}

/**
 * Whether our role can make event triggers, as far as the catalog says: `undefined` where only the attempt will tell. On
 * PostgreSQL itself only a superuser can; Neon lets members of neon_superuser do so.
 */
export function mayCreateTriggers({ server, roles }: Catalog): boolean | undefined {
  if (server.currentRoleIsSuperuser) return true;
  const role = roles.find(({ name }) => name === server.currentRole);
  return role?.memberOf.includes("neon_superuser") === true ? undefined : false;
}

/** The catalog with the event trigger, enabled. */
export function withTracking(catalog: Catalog, publication: string, mark: Mark): Catalog {
  const name = ownNames(publication).trackTrigger;
  const made = catalog.eventTriggers.find((trigger) => trigger.name === name) ?? {
    name,
    owner: catalog.server.currentRole,
    comment: encodeMark(mark),
  };
  const others = catalog.eventTriggers.filter((trigger) => trigger.name !== name);
  return { ...catalog, eventTriggers: [...others, { ...made, enabled: true }] };
}

/** The catalog without the event triggers of this publication that carry a mark of this module. */
export function withoutTracking(catalog: Catalog, publication: string): Catalog {
  const dropped = new Set(ownTriggers(catalog, publication));
  return { ...catalog, eventTriggers: catalog.eventTriggers.filter((trigger) => !dropped.has(trigger)) };
}

/** The event trigger of this publication, by name, if it is missing or disabled. */
export function idleTriggers(catalog: Catalog, publication: string): string[] {
  const active = ownTriggers(catalog, publication).some(({ enabled }) => enabled);
  return active ? [] : [ownNames(publication).trackTrigger];
}

/** The same, each with what has become of it, e.g. `_bemi_track is disabled`. */
export function describeIdleTriggers(catalog: Catalog, publication: string): string[] {
  const own = ownTriggers(catalog, publication).length > 0;
  const now = own ? "is disabled" : hasTracking(catalog, publication) ? "is somebody else's" : "is gone";
  return idleTriggers(catalog, publication).map((name) => `${name} ${now}`);
}

/** @throws UserError where somebody else's event trigger has the name of the module's own */
export function refuseForeignTriggers(catalog: Catalog, publication: string): void {
  const own = ownTriggers(catalog, publication);
  const foreign = namedTriggers(catalog, publication).find((trigger) => !own.includes(trigger));
  if (foreign === undefined) return;
  throw new UserError(
    `The event trigger "${foreign.name}" exists already and ${isOwned(foreign, catalog) ? "was not made by this module" : notOwned(foreign, catalog)}. Drop or rename it, or set trackNewTables to false.`,
  );
}

function namedTriggers(catalog: Catalog, publication: string): EventTriggerFacts[] {
  const { trackTrigger } = ownNames(publication);
  return catalog.eventTriggers.filter(({ name }) => name === trackTrigger);
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
