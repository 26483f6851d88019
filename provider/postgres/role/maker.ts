import { capabilities } from "../../contract/capabilities";
import type { Catalog, RoleFacts } from "../../contract/catalog";
import { UserError } from "../../contract/errors";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { recorded } from "../../contract/target";
import { mayAlter } from "./alterable";

/**
 * Lends `work` a session that may alter a role which this module made. That is the given one, except after the database
 * got another owner: from PostgreSQL 16 on, the role still belongs to the one that made it, and REASSIGN OWNED does not
 * change that. Then `work` gets a session as that role, which costs a login.
 *
 * @param role the role; `undefined` where it is still to be made
 * @throws UserError that says what to run, if the role that made it cannot log in
 */
export async function withAdminOn<Result>(
  session: Session,
  { server }: Pick<Catalog, "server">,
  role: RoleFacts | undefined,
  run: Pick<Run, "sql">,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const maker = role?.makers[0];
  if (role === undefined || maker === undefined || !capabilities(server.version).delegatedRoles)
    return work(session);
  if (role.makers.includes(server.currentRole) || server.currentRoleIsSuperuser) return work(session);
  if (await mayAlter(session, server, role)) return work(session);
  const { projectId, branchId: branch, database } = session.target;
  const done = { begun: false };
  try {
    return await run.sql(
      { projectId, branch, database: database.name },
      (asMaker) => {
        done.begun = true;
        return work(asMaker);
      },
      recorded(session.target),
      maker,
    );
  } catch (error) {
    if (done.begun || !(error instanceof UserError)) throw error;
    throw new UserError(
      `Role "${role.name}" was made by ${maker}, and the database belongs to ${server.currentRole} now. Only ${maker} can change the role, and cannot log in: ${error.message} Have ${maker} run GRANT "${role.name}" TO "${server.currentRole}" WITH ADMIN OPTION, or delete the role in Neon's console, and run again.`,
    );
  } finally {
    // What this session knows of the role is out of date.
    if (done.begun) await session.freshCatalog().catch(() => undefined);
  }
}
