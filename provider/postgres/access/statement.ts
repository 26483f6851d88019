import type { Session } from "../../contract/session";
import { OVERTAKEN_SQL, PARAMETERS_SQL, runBlock, TOGETHER_DECLARATIONS, TOGETHER_SQL } from "../sql/block";
import { explainLocks } from "../sql/holders";
import { LOCK_POLICY } from "../sql/lockPolicy";

/** Tables whose SELECT a role gets or loses, as they are quoted in SQL. */
export interface TablePrivileges {
  readonly action: "GRANT" | "REVOKE";
  readonly tables: readonly string[];
}

/** What is granted and revoked in one go. */
export interface PrivilegeChanges {
  readonly role: string;
  /** Statements about schemas and default privileges: one transaction. */
  readonly statements: readonly string[];
  /** Afterwards, in transactions of up to 100 tables. */
  readonly tables: readonly TablePrivileges[];
}

/**
 * GRANT changes the row of a table in pg_class without locking the table. A TRUNCATE of the app that meets such a row
 * fails with "tuple concurrently updated" when the GRANT commits. So each transaction first takes the lock of a SELECT on
 * its tables: a TRUNCATE waits for these few milliseconds, and nothing else of the app waits. An owner who has revoked
 * his own SELECT may not take the lock, and grants without it.
 *
 * A table that has been dropped meanwhile is left out. A table that stays locked does not keep the others from getting
 * the privilege.
 */
const BLOCK = `
DECLARE ${TOGETHER_DECLARATIONS}
  todo jsonb := ${PARAMETERS_SQL} -> 'tables';
  left_over jsonb;
  batches jsonb[];
  batch jsonb;
  action text;
  names text;
  size int := 100;
BEGIN
  ${TOGETHER_SQL}
  COMMIT;
  WHILE jsonb_array_length(todo) > 0 LOOP
    left_over := '[]';
    SELECT array_agg(b.entries ORDER BY b.first) INTO batches FROM (
      SELECT jsonb_agg(t.entry ORDER BY t.n) AS entries, min(t.n) AS first FROM (
        SELECT e.entry, e.n, row_number() OVER (PARTITION BY e.entry ->> 'action' ORDER BY e.n) - 1 AS place
          FROM jsonb_array_elements(todo) WITH ORDINALITY e (entry, n)) t
       GROUP BY t.entry ->> 'action', t.place / size) b;
    FOREACH batch IN ARRAY batches LOOP
      action := batch -> 0 ->> 'action';
      BEGIN
        PERFORM set_config('lock_timeout', '${LOCK_POLICY.attempt}', true);
        names := (SELECT string_agg('ONLY ' || (e ->> 'table'), ', ') FROM jsonb_array_elements(batch) e);
        BEGIN
          EXECUTE 'LOCK TABLE ' || names || ' IN ACCESS SHARE MODE';
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
        names := (SELECT string_agg(e ->> 'table', ', ') FROM jsonb_array_elements(batch) e);
        EXECUTE format('%s SELECT ON %s %s %I', action, names, CASE action WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END,
                       ${PARAMETERS_SQL} ->> 'role');
      EXCEPTION
        WHEN undefined_table OR invalid_schema_name THEN
          IF size > 1 THEN left_over := left_over || batch; END IF;
        WHEN lock_not_available OR deadlock_detected THEN
          IF clock_timestamp() > deadline THEN RAISE; END IF;
          left_over := left_over || batch;
        WHEN internal_error THEN
          IF NOT (${OVERTAKEN_SQL}) OR clock_timestamp() > deadline THEN RAISE; END IF;
          left_over := left_over || batch;
      END;
      COMMIT;
    END LOOP;
    todo := left_over;
    IF jsonb_array_length(todo) > 0 AND size = 1 THEN PERFORM pg_sleep(0.2); END IF;
    size := 1;
  END LOOP;
END`;

/**
 * Grants and revokes privileges of one role. What was done stays done where a later transaction fails.
 *
 * @throws SqlError if a lock is not free after 10 s; it names who holds it
 */
export async function changePrivileges(session: Session, changes: PrivilegeChanges): Promise<void> {
  const { role, statements } = changes;
  const tables = changes.tables.flatMap(({ action, tables: names }) =>
    names.map((table) => ({ action, table })),
  );
  if (statements.length + tables.length === 0) return;
  const concerned = [...statements, ...tables.map(({ table }) => table)];
  await explainLocks(session, concerned, () => runBlock(session, BLOCK, { role, statements, tables }));
}
