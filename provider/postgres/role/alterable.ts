import { capabilities } from "../../contract/capabilities";
import type { Catalog, RoleFacts, ServerFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { Session } from "../../contract/session";
import { isOfNeon } from "./plan";

/**
 * For a preview, which cannot try it.
 *
 * @throws UserError if our role may not alter the role
 */
export async function assertAlterable(session: Session, { server }: Catalog, role: RoleFacts): Promise<void> {
  if (server.currentRoleIsSuperuser || (await mayAlter(session, server, role))) return;
  throw cannotChange(role, server, "permission denied to alter role");
}

/** Whether our role may alter the role. */
export async function mayAlter(session: Session, server: ServerFacts, role: RoleFacts): Promise<boolean> {
  if (role.superuser || !server.currentRoleMayCreateRoles) return false;
  if (!capabilities(server.version).delegatedRoles) return !role.replication;
  const [found] = await session.read<{ admin: boolean }>(
    "SELECT pg_catalog.pg_has_role($1::oid, 'MEMBER WITH ADMIN OPTION') AS admin",
    [role.oid],
  );
  return found?.admin === true;
}

/** The error for a role that our role may not alter. */
export function cannotChange(
  role: Pick<RoleFacts, "name" | "memberOf">,
  { currentRole, version }: ServerFacts,
  reason: string,
): UserError {
  const { name } = role;
  return new UserError(
    `Role "${name}" cannot be changed by ${currentRole}: ${reason}. ${wayOut(role, currentRole, version)}`,
  );
}

function wayOut(role: Pick<RoleFacts, "name" | "memberOf">, currentRole: string, version: number): string {
  if (!capabilities(version).delegatedRoles)
    return 'Before PostgreSQL 16 only a superuser can. With another name, use ApiRole, or role.createdBy: "api" of BemiAuditTrail.';
  // Nobody but Neon has the ADMIN OPTION on it.
  if (isOfNeon(role))
    return "It was made through Neon's API or console, and only Neon can change it. Choose another name, use ApiRole with adopt (role.createdBy: \"api\" of BemiAuditTrail), or delete the role in Neon's console if nobody uses it.";
  return `Have the role that made it run GRANT "${role.name}" TO "${currentRole}" WITH ADMIN OPTION, or choose another name.`;
}
