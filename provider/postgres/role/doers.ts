import type { Catalog } from "../../contract/catalog";
import type { ReplicationRoleInputs } from "../../contract/kinds/replicationRole";
import type { Run } from "../../contract/kind";
import type { Doers } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { cannotChange } from "./alterable";
import { disableLogin, revokeMembership } from "./consumer";
import { dropRole } from "./drop";
import { withAdminOn } from "./maker";
import { findRole, type RoleStep } from "./plan";
import { changeRole, newPassword, NO_SETTINGS, type RoleChange } from "./statement";

/**
 * How each step is done.
 *
 * @param created whether this module made the role: only then are its changes made as the role that did so
 * @param made gets every new password, before the statement that sets it, and the oid of a new role
 */
export function doers(
  session: Session,
  catalog: Catalog,
  inputs: ReplicationRoleInputs,
  run: Run,
  created: boolean,
  made: { password?: string; oid?: number } = {},
): Doers<RoleStep> {
  const asAdmin = <Result>(work: (session: Session) => Promise<Result>): Promise<Result> =>
    withAdminOn(session, catalog, created ? findRole(catalog, inputs.name) : undefined, run, work);
  const freshPassword = (): { readonly password: string } => {
    const password = newPassword();
    made.password = password;
    return { password };
  };
  return {
    "create role": async ({ role, mark }) => {
      made.oid = await changeRole(
        session,
        {
          name: role,
          create: true,
          ...NO_SETTINGS,
          readOnly: true,
          connect: true,
          mark,
          ...freshPassword(),
        },
        run,
      );
    },
    "revoke membership": ({ role }) => revokeMembership(session, role),
    "alter role": ({ role, settings, newPassword: replaces }) =>
      asAdmin((altering) =>
        alter(
          altering,
          { name: role, create: false, ...settings, ...(replaces ? freshPassword() : {}) },
          catalog,
          run,
        ),
      ),
    "set password": ({ role }) =>
      asAdmin((altering) =>
        alter(altering, { name: role, create: false, ...NO_SETTINGS, ...freshPassword() }, catalog, run),
      ),
    "keep role": ({ role, because }) => {
      run.log(`Role ${role} stays: ${because}.`);
      return Promise.resolve();
    },
    "disable login": ({ role }) => asAdmin((altering) => disableLogin(altering, role, run)),
    "drop role": ({ role, oid }) =>
      asAdmin((altering) => dropRole(altering, { name: role, oid }, inputs, run)),
  };
}

async function alter(session: Session, change: RoleChange, catalog: Catalog, run: Run): Promise<void> {
  try {
    await changeRole(session, change, run);
  } catch (error) {
    if (!hasCode(error, "42501")) throw error;
    const role = findRole(catalog, change.name) ?? { name: change.name, memberOf: [] };
    throw cannotChange(role, catalog.server, error.reason);
  }
}
