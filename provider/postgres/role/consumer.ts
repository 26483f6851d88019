import { capabilities } from "../../contract/capabilities";
import { LOCK_POLICY } from "../sql/lockPolicy";
import { UserError } from "../../contract/errors";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { doSql, unlessOvertaken } from "../sql/block";
import { withControlPlane } from "../sql/controlPlane";
import { describeHolders, explainLocksOn, roleSessions, type Holder } from "../sql/holders";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

/**
 * Keeps the role from logging in again: a client that is only disconnected is back within a second. Must be committed
 * before the role's connections are ended.
 */
export async function disableLogin(
  session: Session,
  role: string,
  run: Pick<Run, "log" | "clock" | "checkpoint">,
): Promise<void> {
  await changeRoles(session, role, run, {
    what: `disabling the login of role "${role}"`,
    statement: `ALTER ROLE ${quoteIdentifier(role)} NOLOGIN`,
  });
}

/** Sends a statement about a role, which Neon's control plane takes part in. */
export async function changeRoles(
  session: Session,
  role: string,
  run: Pick<Run, "log" | "clock" | "checkpoint">,
  { what, statement }: { readonly what: string; readonly statement: string },
): Promise<void> {
  await explainLocksOn(session, [role], () =>
    withControlPlane(run, what, () => unlessOvertaken(() => session.write(statement))),
  );
}

/**
 * Runs `work` while our role has the rights of the given role, as ending its connections requires. From PostgreSQL 16
 * on the creator of a role has no more than ADMIN on it, so our role is made a member for the time being. The
 * membership is revoked in the end, also if an earlier run left it behind.
 */
export async function withRightsOf<Result>(
  session: Session,
  role: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const { server } = await session.catalog();
  if (server.currentRoleIsSuperuser || !capabilities(server.version).delegatedRoles) return work();
  const [rights] = await session.read<{ has: boolean }>("SELECT pg_catalog.pg_has_role($1, 'USAGE') AS has", [
    role,
  ]);
  if (rights?.has !== true) {
    try {
      await unlessOvertaken(() =>
        session.write(`GRANT ${quoteIdentifier(role)} TO CURRENT_USER WITH INHERIT TRUE, SET FALSE`),
      );
    } catch (error) {
      // Our role may lack ADMIN on a role that others made. Membership in pg_signal_backend can be enough.
      if (!hasCode(error, "42501")) throw error;
    }
  }
  try {
    return await work();
  } finally {
    if (await hasLeftMembership(session, role)) await revokeMembership(session, role);
  }
}

/** Ends the membership of our role that {@link withRightsOf} granted. */
export async function revokeMembership(session: Session, role: string): Promise<void> {
  await unlessOvertaken(() =>
    session.write(`REVOKE ${quoteIdentifier(role)} FROM CURRENT_USER GRANTED BY CURRENT_USER`),
  );
}

/** Whether our role has the membership of {@link withRightsOf}: outside of it, a killed destroy has left it behind. */
export async function hasLeftMembership(session: Session, role: string): Promise<boolean> {
  if (!capabilities(session.serverVersion).delegatedRoles) return false;
  const [own] = await session.read<{ found: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_catalog.pg_auth_members m
         JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles me ON me.oid = m.member
        WHERE r.rolname = $1 AND me.rolname = current_user AND m.grantor = me.oid
          AND m.inherit_option AND NOT m.set_option AND NOT m.admin_option) AS found`,
    [role],
  );
  return own?.found === true;
}

/**
 * Ends all connections of the role and waits until they are gone, for at most 10 s.
 *
 * @throws UserError if they do not end, or our role may not end them
 */
export async function endConnections(session: Session, role: string): Promise<void> {
  const ended = session.write(
    doSql(`
DECLARE
  deadline CONSTANT timestamptz := clock_timestamp() + interval '${LOCK_POLICY.patience}';
BEGIN
  WHILE EXISTS (SELECT FROM pg_stat_activity WHERE usename = ${quoteLiteral(role)}) LOOP
    IF clock_timestamp() > deadline THEN
      RAISE EXCEPTION 'its connections do not end' USING ERRCODE = 'object_in_use';
    END IF;
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ${quoteLiteral(role)};
    PERFORM pg_stat_clear_snapshot();
  END LOOP;
END`),
  );
  await explainConnections(role, ended, () => roleSessions(session, role));
}

/**
 * @param holders asks who still uses what the consumer should have left
 * @throws UserError with what to do, if `work` fails because the consumer's connections could not be ended
 */
export async function explainConnections(
  role: string,
  work: Promise<unknown>,
  holders: () => Promise<readonly Holder[]>,
): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!hasCode(error, "42501", "55006")) throw error;
    const held = describeHolders(await holders().catch(() => []));
    throw new UserError(
      `The connections of role "${role}" could not be ended: ${error.reason}. Stop the consumer that uses it (disconnect the database in Bemi), and run again.${held === undefined ? "" : ` ${held}`}`,
    );
  }
}
