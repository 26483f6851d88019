import type { Catalog, RoleFacts, SlotFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { ReplicationSlotInputs, ReplicationSlotOutputs } from "../../contract/kinds/replicationSlot";
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

/** The slot of this name, whoever has made it. Names of slots are those of the whole server. */
export function findSlot(catalog: Catalog, name: string): SlotFacts | undefined {
  return catalog.slots.find((slot) => slot.name === name);
}

/** The slot of this name, if a consumer of this database's publications can use it. */
export function findUsableSlot(catalog: Catalog, name: string, database: string): SlotFacts | undefined {
  const slot = findSlot(catalog, name);
  return slot === undefined || foreignBecause(slot, database) !== undefined ? undefined : slot;
}

/** The catalog without the slots that no consumer of this database's publications can use. */
export function withoutForeignSlots(catalog: Catalog, database: string): Catalog {
  return { ...catalog, slots: catalog.slots.filter((slot) => foreignBecause(slot, database) === undefined) };
}

/** What the state of a slot's resource says. */
type SlotState = ReplicationSlotInputs & Partial<ReplicationSlotOutputs>;

/**
 * @param replaces the state of a resource whose place this one takes
 * @throws UserError if the name is taken by a slot that the consumer cannot use, and would not get either
 */
export function refuseForeignSlot(
  catalog: Catalog,
  name: string,
  database: string,
  replaces?: SlotState,
): void {
  const slot = findSlot(catalog, name);
  const because = slot && foreignBecause(slot, database);
  if (because === undefined || isDroppedNext(slot, replaces)) return;
  throw new UserError(
    `Replication slot "${name}" exists already and ${because}, so the consumer of this trail can neither use it nor make its own. It is left as it is. Give slot another name, or drop it if nobody needs it: SELECT pg_drop_replication_slot(${quoteLiteral(name)})`,
  );
}

/** Whether the slot is the one that a replaced resource drops: a trail that moves to another database makes it anew. */
function isDroppedNext(slot: SlotFacts | undefined, replaces: SlotState | undefined): boolean {
  return (
    replaces?.dropOnDestroy === true &&
    replaces.existedBefore !== true &&
    slot?.name === replaces.name &&
    slot.database === (replaces.databaseName ?? replaces.database)
  );
}

/** Why the consumer cannot use the slot at the moment, for a preview. An up does nothing about it. */
export function describeOtherUser(
  slot: SlotFacts,
  { name, role }: Pick<ReplicationSlotInputs, "name" | "role">,
): string[] {
  if (!slot.active || slot.activeRole === role) return [];
  return [
    `Replication slot ${name} exists already and is in use by role ${slot.activeRole ?? "(unknown)"}, so the consumer of this trail cannot use it. It is left as it is: give slot another name, or stop that consumer.`,
  ];
}

/** Why a slot is none for the consumer of this database's publications; `undefined` if it is. */
function foreignBecause(slot: SlotFacts, database: string): string | undefined {
  if (slot.database === null) return "is a physical one";
  if (slot.database !== database) return `belongs to database ${slot.database}`;
  if (slot.plugin !== PLUGIN) return `has the plugin ${slot.plugin ?? "(unknown)"} instead of ${PLUGIN}`;
  if (slot.temporary) return "is a temporary one of another session";
  return undefined;
}

/**
 * Whether the slot existed before this resource, so that others may need it. A slot that the consumer of the trail reads
 * already is the trail's own.
 */
export function existsBefore(
  catalog: Catalog,
  { name, role }: Pick<ReplicationSlotInputs, "name" | "role">,
  database: string,
): boolean {
  const slot = findUsableSlot(catalog, name, database);
  if (slot === undefined) return false;
  const consumer = catalog.roles.find((facts) => facts.name === role);
  const ours = consumer !== undefined && isMadeHere(catalog, consumer);
  return !(slot.active && slot.activeRole === role && ours);
}

/** Whether this module made the role. */
function isMadeHere(catalog: Catalog, role: RoleFacts): boolean {
  return decodeMark(role.comment) !== undefined && canHaveMade(catalog, role);
}

/**
 * The steps of a destroy. The slot is dropped only if the inputs ask for it, and only if it is a slot of this database
 * that the consumer has made, and that no other role uses.
 *
 * @param database name of the database of the session
 * @param replaced whether another slot takes its place: the role then stays in use
 * @throws UserError if our role may not drop the slot
 */
export function planDrop(
  catalog: Catalog,
  state: Pick<SlotState, "name" | "role" | "dropOnDestroy" | "existedBefore">,
  database: string,
  replaced = false,
): SlotStep[] {
  const { name, role } = state;
  const slot = findSlot(catalog, name);
  if (slot === undefined) return [];
  const because = reasonToKeep(slot, database, state);
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
  // Only a role that this module made, and that is dropped next, loses its login. Another role keeps all it has, also if
  // this run is killed.
  if (replaced || !isMadeHere(catalog, consumer))
    return [{ step: "drop slot", slot: name, role, disconnects: "the consumer" }];
  const drop: SlotStep = { step: "drop slot", slot: name, role, disconnects: "all connections of the role" };
  return consumer.canLogin ? [{ step: "disable login", role }, drop] : [drop];
}

function reasonToKeep(
  slot: SlotFacts,
  database: string,
  { role, dropOnDestroy, existedBefore = false }: Parameters<typeof planDrop>[1],
): string | undefined {
  const foreign = foreignBecause(slot, database);
  if (foreign !== undefined) return `it ${foreign}`;
  if (!dropOnDestroy)
    return "dropOnDestroy of ReplicationSlot (dropSlotOnDestroy of BemiAuditTrail) is false";
  if (existedBefore) return "it existed before this trail";
  if (slot.active && slot.activeRole !== role)
    return `role ${slot.activeRole ?? "(unknown)"} uses it, not ${role}`;
  return undefined;
}

function heldLog({ retainedBytes }: SlotFacts): string {
  const amount = retainedBytes === null ? "" : ` (${Math.ceil(retainedBytes / 1_048_576)} MB now)`;
  return `While no consumer reads it, it holds back write-ahead log${amount}.`;
}
