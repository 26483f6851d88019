import type { Catalog, SlotFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { ReplicationSlotInputs } from "../../contract/kinds/replicationSlot";
import { decodeMark } from "../ownership/mark";
import { canHaveMade } from "../ownership/roleMaker";
import { quoteLiteral } from "../sql/quote";

/** What a destroy does about the slot. */
export type SlotStep =
  /** `says` tells the user why the slot stays and how to drop it. */
  | { readonly step: "keep slot"; readonly slot: string; readonly says: string }
  /** Keeps the slot's consumer from coming back. */
  | { readonly step: "disable login"; readonly role: string }
  | {
      readonly step: "drop slot";
      readonly slot: string;
      /** The role of the consumer. */
      readonly role: string;
      /**
       * Which connections end first.
       * - `all connections of the role`: one that does not read the slot yet would make it again;
       * - `the consumer`: only the connection that holds the slot;
       * - `nobody`: the role does not exist.
       */
      readonly disconnects: "all connections of the role" | "the consumer" | "nobody";
    };

/** The output plugin that consumers of a publication use. */
const PLUGIN = "pgoutput";

/** The slot of this name, if there is one. */
export function findSlot(catalog: Catalog, name: string): SlotFacts | undefined {
  return catalog.slots.find((slot) => slot.name === name);
}

/** Why the consumer cannot use a slot of this name, for a preview. An up does nothing about it. */
export function describeForeign(
  slot: SlotFacts,
  { name, role }: Pick<ReplicationSlotInputs, "name" | "role">,
  database: string,
): string[] {
  const because = foreignTo(slot, role, database);
  return because === undefined
    ? []
    : [
        `Replication slot ${name} exists already and ${because}, so the consumer of this trail cannot use it. It is left as it is: give slot another name, or drop it.`,
      ];
}

function foreignTo(slot: SlotFacts, role: string, database: string): string | undefined {
  if (slot.database === null) return "is a physical one";
  if (slot.database !== database) return `belongs to database ${slot.database}`;
  if (slot.plugin !== PLUGIN) return `has the plugin ${slot.plugin ?? "(unknown)"} instead of ${PLUGIN}`;
  if (slot.active && slot.activeRole !== role) return `is in use by role ${slot.activeRole ?? "(unknown)"}`;
  return undefined;
}

/**
 * The steps of a destroy. The slot is dropped only if the inputs ask for it, and only if it is a slot of this database
 * that no other role uses.
 *
 * @param database name of the database of the session
 * @throws UserError if our role may not drop the slot
 */
export function planDrop(
  catalog: Catalog,
  { name, role, dropOnDestroy }: Pick<ReplicationSlotInputs, "name" | "role" | "dropOnDestroy">,
  database: string,
): SlotStep[] {
  const slot = findSlot(catalog, name);
  if (slot === undefined) return [];
  const because = reasonToKeep(slot, database, role, dropOnDestroy);
  if (because !== undefined)
    return [
      {
        step: "keep slot",
        slot: name,
        says: `Replication slot ${name} stays, because ${because}. ${heldLog(slot)} To drop it, stop its consumer and run: SELECT pg_drop_replication_slot(${quoteLiteral(name)})`,
      },
    ];
  const { server } = catalog;
  if (!server.currentRoleIsSuperuser && !server.currentRoleMayReplicate)
    throw new UserError(
      `Replication slot "${name}" cannot be dropped by ${server.currentRole}, which lacks REPLICATION. Drop the slot as a role that has it, or set dropOnDestroy of ReplicationSlot (dropSlotOnDestroy of BemiAuditTrail) to false.`,
    );
  const consumer = catalog.roles.find((facts) => facts.name === role);
  if (consumer === undefined) return [{ step: "drop slot", slot: name, role, disconnects: "nobody" }];
  // Only a role that this module made loses its login: it is dropped next. Another role keeps all it has, also if this
  // run is killed.
  if (decodeMark(consumer.comment) === undefined || !canHaveMade(catalog, consumer))
    return [{ step: "drop slot", slot: name, role, disconnects: "the consumer" }];
  const drop: SlotStep = { step: "drop slot", slot: name, role, disconnects: "all connections of the role" };
  return consumer.canLogin ? [{ step: "disable login", role }, drop] : [drop];
}

function reasonToKeep(
  slot: SlotFacts,
  database: string,
  role: string,
  dropOnDestroy: boolean,
): string | undefined {
  if (!dropOnDestroy)
    return "dropOnDestroy of ReplicationSlot (dropSlotOnDestroy of BemiAuditTrail) is false";
  if (slot.database !== database)
    return `it belongs to ${slot.database === null ? "no database" : `database ${slot.database}`}`;
  if (slot.active && slot.activeRole !== role)
    return `role ${slot.activeRole ?? "(unknown)"} uses it, not ${role}`;
  return undefined;
}

function heldLog({ retainedBytes }: SlotFacts): string {
  const amount = retainedBytes === null ? "" : ` (${Math.ceil(retainedBytes / 1_048_576)} MB now)`;
  return `While no consumer reads it, it holds back write-ahead log${amount}.`;
}
