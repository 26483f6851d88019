/**
 * For how long the module waits for locks. Whatever waits for a lock makes everybody else queue behind it, so every
 * number here bounds what the application can feel. TypeScript and the PL/pgSQL blocks both take the numbers from here.
 */
export const LOCK_POLICY = {
  /** Longest wait of a statement that takes no lock anybody minds; every session starts with it. */
  session: "2s",
  /** Longest wait for one lock: the application queues behind this module for no longer. */
  attempt: "100ms",
  /**
   * Longest wait for a table that only an autovacuum worker holds. A worker yields to a waiter after deadlock_timeout,
   * which is 1 s and which our role may not change, so an attempt must be longer than that.
   */
  autovacuumAttempt: "1500ms",
  /** For how long attempts are repeated before the rest is left to the next up. */
  patience: "10 s",
  /** For how long migrations are waited for that began before the event triggers existed, or still call them. */
  migrationPatience: "2 s",
  /** Longest wait for another statement of this module that changes the identities of the same trail. */
  turn: "15s",
} as const;

/**
 * SQL that says whether a lock is held by an autovacuum worker: `lock` is an alias of pg_locks, `activity` one of
 * pg_stat_activity joined by pid. A worker's backend has no user, which every role can see.
 */
export function heldByAutovacuumSql(lock: string, activity: string): string {
  return `(${activity}.usesysid IS NULL AND ${lock}.mode = 'ShareUpdateExclusiveLock')`;
}

/** SQL that limits an alias of pg_locks to locks on relations of this database that are held. */
export function heldHereSql(lock: string): string {
  return `${lock}.locktype = 'relation' AND ${lock}.granted
      AND ${lock}.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())`;
}
