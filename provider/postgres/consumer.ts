import { UserError } from "../errors";
import type { RoleFacts } from "./catalog";
import { quoteIdentifier, quoteLiteral } from "./names";
import type { Session } from "./session";
import { hasCode } from "./sqlError";

/**
 * Shuts the role out for good: a client that is only disconnected is back within a second. From then on it cannot log
 * in. Must be committed before its connections are ended.
 */
export async function shutOut(session: Session, role: RoleFacts): Promise<void> {
  if (!role.canLogin) return;
  await session.query(`ALTER ROLE ${quoteIdentifier(role.name)} NOLOGIN`);
  session.changed();
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
  if (server.currentRoleIsSuperuser || server.version < 160000) return work();
  const [rights] = await session.query<{ has: boolean }>(
    "SELECT pg_catalog.pg_has_role($1, 'USAGE') AS has",
    [role],
  );
  if (rights?.has !== true) {
    try {
      await session.query(`GRANT ${quoteIdentifier(role)} TO CURRENT_USER WITH INHERIT TRUE, SET FALSE`);
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
    await session.query(`REVOKE ${quoteIdentifier(role)} FROM CURRENT_USER GRANTED BY CURRENT_USER`);
  session.changed();
}

/** Whether there is something for {@link giveBackRights} to take back. */
export async function keepsRights(session: Session, role: string): Promise<boolean> {
  if (session.serverVersion < 160000) return false;
  const [own] = await session.query<{ found: boolean }>(
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
  await guard(
    role,
    session.query(`
DO $block$
DECLARE
  deadline CONSTANT timestamptz := clock_timestamp() + interval '10 s';
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

/**
 * Drops the slot. A consumer that holds it is disconnected, if it is the given role's: again and again for at most
 * 10 s where it reconnects. Gone is fine.
 */
export async function dropSlot(session: Session, slot: string, role: string): Promise<void> {
  await guard(
    role,
    session.query(`
DO $block$
DECLARE
  deadline CONSTANT timestamptz := clock_timestamp() + interval '10 s';
BEGIN
  LOOP
    EXIT WHEN NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(slot)});
    PERFORM pg_stat_clear_snapshot();
    PERFORM pg_terminate_backend(a.pid, 5000)
       FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
      WHERE s.slot_name = ${quoteLiteral(slot)} AND a.usename = ${quoteLiteral(role)};
    BEGIN
      PERFORM pg_drop_replication_slot(${quoteLiteral(slot)});
      EXIT;
    EXCEPTION WHEN object_in_use THEN
      IF clock_timestamp() > deadline THEN RAISE; END IF;
    END;
    PERFORM pg_sleep(0.02);
  END LOOP;
END
$block$`),
  );
  session.changed();
}

/** Says what to do where the consumer cannot be made to go. */
async function guard(role: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!hasCode(error, "42501", "55006")) throw error;
    throw new UserError(
      `The connections of role "${role}" could not be ended: ${error.reason}. Stop the consumer that uses it (disconnect the database in Bemi), and run again.`,
    );
  }
}
