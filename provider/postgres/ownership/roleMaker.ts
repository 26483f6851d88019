import { capabilities } from "../../contract/capabilities";
import type { Catalog, RoleFacts } from "../../contract/catalog";

/**
 * Whether the role we act as can have made this role. A role has no owner, and its mark alone is no proof: whoever makes
 * a role may comment on it, and every role can read the mark of another one. But from PostgreSQL 16 on, the server keeps
 * who has made a role, and only a superuser could change that.
 *
 * Before 16, every role with CREATEROLE may comment on any role that is no superuser, and may set its password. There is
 * nothing better than the mark, so these roles are trusted.
 */
export function canHaveMade({ server }: Pick<Catalog, "server">, role: Pick<RoleFacts, "makers">): boolean {
  const { currentRole, currentRoleIsSuperuser, version } = server;
  if (!capabilities(version).delegatedRoles) return true;
  // What a superuser makes has no maker.
  if (currentRoleIsSuperuser) return role.makers.every((maker) => maker === currentRole);
  return role.makers.includes(currentRole);
}
