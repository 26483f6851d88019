import type { Session } from "../../provider/contract/session";
import type { SlotDetails } from "../../report/check/facts";

/**
 * Columns that came with later versions of PostgreSQL are read through JSON, so that one statement serves all versions.
 * Details of another role's connection are null unless our role may read all statistics.
 */
const STATEMENT = `
  SELECT s.database, s.plugin, s.active, s.wal_status AS "walStatus",
         pg_catalog.to_jsonb(s) ->> 'invalidation_reason' AS "invalidated",
         extract(epoch FROM pg_catalog.clock_timestamp()
           - (pg_catalog.to_jsonb(s) ->> 'inactive_since')::timestamptz)::float8 AS "idleSeconds",
         pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::float8 AS "retainedBytes",
         pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.confirmed_flush_lsn)::float8 AS "lagBytes",
         a.usename::text AS "role", pg_catalog.host(a.client_addr) AS "address",
         extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start)::float8 AS "connectedSeconds",
         extract(epoch FROM pg_catalog.clock_timestamp() - r.reply_time)::float8 AS "silentSeconds",
         pg_catalog.current_setting('wal_sender_timeout') AS "senderTimeout"
    FROM pg_catalog.pg_replication_slots s
    LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
    LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
   WHERE s.slot_name = $1`;

/** The replication slot and its consumer; `undefined` if there is no such slot. Takes one statement. */
export async function readSlot(
  session: Pick<Session, "read">,
  slot: string,
): Promise<SlotDetails | undefined> {
  const [row] = await session.read<SlotDetails>(STATEMENT, [slot]);
  return row;
}
