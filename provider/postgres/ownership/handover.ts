import type { Catalog } from "../../contract/catalog";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { hasMark } from "./mark";

/**
 * Whether to act as the new owner of a database from now on. ALTER DATABASE OWNER changes the owner of nothing in the
 * database. As long as everything that this module made there belongs to the former owner, only that role can change it,
 * and the tables are most likely that role's too. REASSIGN OWNED, or an ALTER of the first object, hands it over.
 *
 * @param catalog read as the former owner
 * @param owner the new owner
 */
export function isHandedOver(catalog: Catalog, owner: string): boolean {
  const made = [
    ...catalog.schemas.filter(({ name }) => name === MODULE_SCHEMA),
    ...catalog.publications,
    ...catalog.eventTriggers,
  ].filter(({ comment }) => hasMark(comment));
  const owners = new Set(made.map((object) => object.owner));
  return owners.has(owner) || !owners.has(catalog.server.currentRole);
}
