import type { Catalog, RoleFacts } from "../../contract/catalog";
import { firstFew } from "../../contract/wording";
import { takenOver } from "../ownership/mark";
import { isAdopting, privilegesBesides, slotInUse, type RoleState, type RoleStep } from "./plan";
import type { RoleSettings } from "./statement";

/** What a preview knows besides the steps. */
interface Circumstances {
  readonly catalog: Catalog;
  /** The role as it is; `undefined` before it is made. */
  readonly role: RoleFacts | undefined;
  readonly state: RoleState | undefined;
  /** Whether this resource made the role. */
  readonly created: boolean;
  readonly database: string;
}

/** What the steps of an up do, for a preview. */
export function describeSteps(steps: readonly RoleStep[], found: Circumstances): string[] {
  const lines: string[] = [];
  const { catalog, role, state, created } = found;
  if (role !== undefined && state === undefined && created) lines.push(takenOver(`Role ${role.name}`));
  if (role !== undefined && !created && isAdopting(state)) lines.push(describeAdoption(role));
  for (const step of steps)
    switch (step.step) {
      case "create role":
        lines.push(
          `Role ${step.role} is made, with LOGIN and REPLICATION, read-only by default, and with a new password.`,
        );
        break;
      case "revoke membership":
        lines.push(`${catalog.server.currentRole} is no longer a member of role ${step.role}.`);
        break;
      case "alter role":
        lines.push(...describeSettings(step.role, step.settings, found.database));
        if (step.newPassword) lines.push(describeNewPassword(step.role, catalog));
        break;
      case "set password":
        lines.push(describeNewPassword(step.role, catalog));
        break;
      default:
    }
  return lines;
}

/** That a role is taken over, and what else it may do. */
export function describeAdoption(role: RoleFacts): string {
  const besides = privilegesBesides(role);
  const warning =
    besides.length === 0 ? "" : ` It has more rights than Bemi needs, and keeps them: ${firstFew(besides)}.`;
  return `Role ${role.name} exists already and is taken over. It stays on destroy.${warning}`;
}

function describeSettings(role: string, settings: RoleSettings, database: string): string[] {
  const { attributes, readOnly, connect, leave, mark } = settings;
  return [
    ...(attributes.length > 0 ? [`Role ${role} gets back ${attributes.join(", ")}.`] : []),
    ...(readOnly ? [`Role ${role} becomes read-only by default again.`] : []),
    ...(connect ? [`Role ${role} may connect to database ${database} again.`] : []),
    ...(leave.length > 0 ? [`Role ${role} is no longer a member of ${firstFew(leave)}.`] : []),
    ...(mark === undefined ? [] : [`The ownership mark on role ${role} is written again.`]),
  ];
}

function describeNewPassword(role: string, catalog: Catalog): string {
  const slot = slotInUse(catalog, role);
  const consumer =
    slot === undefined ? "the consumer" : `the consumer, which reads slot ${slot} at the moment,`;
  return `Role ${role} gets a new password: ${consumer} cannot log in again before it has been given it.`;
}
