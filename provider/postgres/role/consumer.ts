import { capabilities } from "../../contract/capabilities";
import { LOCK_POLICY } from "../sql/lockPolicy";
import { UserError } from "../../contract/errors";
import type { RoleFacts } from "../../contract/catalog";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

/**
 * Shuts the role out for good: a client that is only disconnected is back within a second. From then on it cannot log
 * in. Must be committed before its connections are ended.
 */
export async function shutOut(session: Session, role: RoleFacts): Promise<void> {
  if (!role.canLogin) return;
  await session.write(`ALTER ROLE ${quoteIdentifier(role.name)} NOLOGIN`);
}

/**
 * Runs `work` while we have the role's rights, which ending its connections takes. From 16 on the creator of a role
 * has no more than ADMIN on it; the membership is ours alone and taken back, also if an earlier run left it behind.
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
      await session.write(`GRANT ${quoteIdentifier(role)} TO CURRENT_USER WITH INHERIT TRUE, SET FALSE`);
    } catch (error) {
      // Of a role made by others we may not have ADMIN; membership in pg_signal_backend can still do.
      if (!hasCode(error, "42501")) throw error;
    }
  }
  try {
    return await work();
  } finally {
    await giveBackRights(session, role);
  }
}

/** Takes back what a destroy that was killed has left us of {@link withRightsOf}. */
export async function giveBackRights(session: Session, role: string): Promise<void> {
  if (await keepsRights(session, role))
    await session.write(`REVOKE ${quoteIdentifier(role)} FROM CURRENT_USER GRANTED BY CURRENT_USER`);
}

/** Whether there is something for {@link giveBackRights} to take back. */
export async function keepsRights(session: Session, role: string): Promise<boolean> {
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

/** Ends all connections of the role and waits until they are gone, for at most 10 s. */
export async function endConnections(session: Session, role: string): Promise<void> {
  await explainConnections(
    role,
    session.write(`
DO $block$
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
END
$block$`),
  );
}

/** Says what to do where the consumer cannot be made to go. */
export async function explainConnections(role: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!hasCode(error, "42501", "55006")) throw error;
    throw new UserError(
      `The connections of role "${role}" could not be ended: ${error.reason}. Stop the consumer that uses it (disconnect the database in Bemi), and run again.`,
    );
  }
}
