import { capabilities } from "../../contract/capabilities";
import type { Catalog, RoleFacts, ServerFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { Session } from "../../contract/session";

/**
 * For a preview, which cannot try it.
 *
 * @throws UserError if our role may not alter the role
 */
export async function assertAlterable(session: Session, { server }: Catalog, role: RoleFacts): Promise<void> {
  if (server.currentRoleIsSuperuser || (await mayAlter(session, server, role))) return;
  throw cannotChange(role.name, server, "permission denied to alter role");
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
export function cannotChange(name: string, { currentRole, version }: ServerFacts, reason: string): UserError {
  return new UserError(
    `Role "${name}" cannot be changed by ${currentRole}: ${reason}. ` +
      (!capabilities(version).delegatedRoles
        ? 'Before PostgreSQL 16 only a superuser can. With another name, use ApiRole, or role.createdBy: "api" of BemiAuditTrail.'
        : `Have the role that made it run GRANT "${name}" TO "${currentRole}" WITH ADMIN OPTION, or choose another name.`),
  );
}
