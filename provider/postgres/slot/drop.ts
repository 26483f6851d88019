import { LOCK_POLICY } from "../sql/lockPolicy";
import type { Session } from "../../contract/session";
import { explainConnections } from "../role/consumer";
import { doSql } from "../sql/block";
import { slotHolder } from "../sql/holders";
import { quoteLiteral } from "../sql/quote";

/**
 * Drops the slot, if it still exists and is one of this database for the plugin pgoutput. A consumer of the given role that holds the slot is disconnected. If the consumer
 * connects again, this is repeated for at most 10 s.
 *
 * @throws UserError if the consumer cannot be made to go
 */
export async function dropSlot(session: Session, slot: string, role: string): Promise<void> {
  const dropped = session.write(
    doSql(`
DECLARE
  deadline CONSTANT timestamptz := clock_timestamp() + interval '${LOCK_POLICY.patience}';
BEGIN
  LOOP
    EXIT WHEN NOT EXISTS (
      SELECT FROM pg_replication_slots
       WHERE slot_name = ${quoteLiteral(slot)} AND database = current_database() AND plugin = 'pgoutput' AND NOT temporary);
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
END`),
  );
  await explainConnections(role, dropped, () => slotHolder(session, slot));
}
