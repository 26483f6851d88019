import type { Reader } from "../../contract/session";
import { quoteIdentifier, quoteLiteral } from "./quote";
import { hasCode, SqlError } from "./sqlError";

/**
 * A transaction that others wait for. What our role may not see of another role's session is `null`: the time, the
 * state and the command, unless it has the rights of pg_read_all_stats.
 */
export interface Holder {
  /** Process id of the session; `null` for a prepared transaction, which has none. */
  readonly pid: number | null;
  /** Name of a prepared transaction (PREPARE TRANSACTION). */
  readonly prepared: string | null;
  readonly role: string | null;
  /** `application_name` of the session, which its client chooses. */
  readonly application: string | null;
  /** Start of the transaction, e.g. `2026-11-26 17:00:12 UTC`. */
  readonly since: string | null;
  /** `active`, `idle in transaction`, ... */
  readonly state: string | null;
  /** First word of the latest statement, e.g. `CREATE`. Never more of it, as it may hold data or a password. */
  readonly command: string | null;
  /** Whether it is a process of the server itself, as an autovacuum worker: ended, it comes back. */
  readonly background: boolean;
}

/** SQLSTATE of a lock timeout, and of a deadlock. */
const LOCKED = ["55P03", "40P01"] as const;

/** How many holders an error names. */
const FEW = 3;

/**
 * Columns of a {@link Holder}, and the FROM items that they come from. `source` is a FROM item with the columns `pid` and
 * `gid`, the name of a prepared transaction.
 */
const holdersFrom = (source: string): string => `
  SELECT DISTINCT ON (h.started, h.pid, h.prepared)
         h.pid, h.prepared, h.role, h.application, h.state, h.command, h.background,
         to_char(h.started AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS since
    FROM (SELECT s.pid, p.gid AS prepared, coalesce(a.usename, p.owner)::text AS role,
                 nullif(a.application_name, '') AS application, a.state, coalesce(a.xact_start, p.prepared) AS started,
                 a.pid IS NOT NULL AND a.usesysid IS NULL AS background,
                 upper((regexp_match(a.query, '^\\s*([A-Za-z]{1,20})\\M'))[1]) AS command
            FROM ${source} s
            LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.pid
            LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.gid = s.gid) h
   ORDER BY h.started NULLS LAST, h.pid, h.prepared
   LIMIT ${FEW}`;

/** The columns for the owner of lock `l`. A prepared transaction has no process; the lock on its own id tells its name. */
const LOCK_OWNER = `l.pid, CASE WHEN l.pid IS NULL THEN (
      SELECT min(p.gid) FROM pg_catalog.pg_prepared_xacts p JOIN pg_catalog.pg_locks t ON t.transactionid = p.transaction
       WHERE t.pid IS NULL AND t.virtualtransaction = l.virtualtransaction) END AS gid`;

/** Whether lock `l` is held by others, on something of this database or of the whole cluster. */
const HELD_BY_OTHERS = `l.granted AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  AND l.database IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))`;

/**
 * What keeps tables from being changed: to change the replica identity of a table waits for every lock on it, reads
 * included. To change the members of a publication waits for what lets no schema change pass (VACUUM, another ALTER),
 * and for whoever has changed this publication.
 */
export type TableChange =
  { readonly of: "replica identity" } | { readonly of: "members"; readonly publication: string };

/** Who holds a lock that keeps one of the tables from being changed. */
export function tableHolders(
  session: Reader,
  tables: readonly number[],
  change: TableChange = { of: "replica identity" },
): Promise<Holder[]> {
  return session.read<Holder>(
    holdersFrom(`(
    SELECT ${LOCK_OWNER} FROM pg_catalog.pg_locks l
     WHERE ${HELD_BY_OTHERS}
       AND ($2::text IS NULL OR l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))
       AND (l.locktype = 'relation' AND l.relation = ANY ($1::oid[])
         OR l.locktype = 'object' AND l.classid = 'pg_catalog.pg_publication'::pg_catalog.regclass
           AND l.objid = (SELECT p.oid FROM pg_catalog.pg_publication p WHERE p.pubname = $2)))`),
    [tables, change.of === "members" ? change.publication : null],
  );
}

/** The session with this process id. */
export function sessionHolder(session: Reader, pid: number): Promise<Holder[]> {
  return session.read<Holder>(holdersFrom("(SELECT $1::int4 AS pid, NULL AS gid)"), [pid]);
}

/** Whose transactions have written something and are still open, oldest first. */
export function openWriters(
  session: Reader,
  where: "this database" | "the whole cluster" = "the whole cluster",
): Promise<Holder[]> {
  return session.read<Holder>(
    holdersFrom(`(
    SELECT w.pid, NULL AS gid FROM pg_catalog.pg_stat_activity w
     WHERE w.backend_xid IS NOT NULL AND w.pid <> pg_catalog.pg_backend_pid()
       AND (NOT $1 OR w.datname = pg_catalog.current_database())
     UNION ALL
    SELECT NULL, p.gid FROM pg_catalog.pg_prepared_xacts p WHERE NOT $1 OR p.database = pg_catalog.current_database())`),
    [where === "this database"],
  );
}

/** The session that uses a replication slot. */
export function slotHolder(session: Reader, slot: string): Promise<Holder[]> {
  return session.read<Holder>(
    holdersFrom(`(
    SELECT s.active_pid AS pid, NULL AS gid FROM pg_catalog.pg_replication_slots s
     WHERE s.slot_name = $1 AND s.active_pid IS NOT NULL)`),
    [slot],
  );
}

/** The sessions of a role. */
export function roleSessions(session: Reader, role: string): Promise<Holder[]> {
  return session.read<Holder>(
    holdersFrom(`(
    SELECT a.pid, NULL AS gid FROM pg_catalog.pg_stat_activity a WHERE a.usename = $1)`),
    [role],
  );
}

/**
 * Who holds what one of the statements waited for. When a lock timeout is reported, the wait is over, and
 * `pg_blocking_pids` has nothing to say. So these are the sessions with a lock on an object that a statement names, in
 * quotes as {@link quoteIdentifier} writes it. If there is none, the statement waited for a row of a catalog, which shows
 * nowhere: then they are all sessions of this database that have written something, and `sure` is false.
 */
async function statementHolders(
  session: Reader,
  statements: readonly string[],
): Promise<{ readonly holders: readonly Holder[]; readonly sure: boolean }> {
  const named = (name: string): string => `strpos($1, '"' || replace(${name}, '"', '""') || '"') > 0`;
  const object = (catalog: string, name: string): string =>
    `WHEN 'pg_catalog.${catalog}'::pg_catalog.regclass THEN EXISTS (
               SELECT FROM pg_catalog.${catalog} o WHERE o.oid = l.objid AND ${named(`o.${name}`)})`;
  const holders = await session.read<Holder>(
    holdersFrom(`(
    SELECT ${LOCK_OWNER} FROM pg_catalog.pg_locks l
     WHERE ${HELD_BY_OTHERS}
       -- Only DROP and ALTER TABLE wait for those who merely read or write.
       AND (l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock') OR $1 ~ '(^|\n)(DROP|ALTER TABLE)')
       AND CASE l.locktype
         WHEN 'relation' THEN EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = l.relation AND ${named("c.relname")})
         WHEN 'object' THEN CASE l.classid
             ${object("pg_publication", "pubname")}
             ${object("pg_namespace", "nspname")}
             ${object("pg_event_trigger", "evtname")}
             ${object("pg_roles", "rolname").replace("'pg_catalog.pg_roles'", "'pg_catalog.pg_authid'")}
             ELSE false END
         ELSE false END)`),
    [statements.join("\n")],
  );
  if (holders.length > 0) return { holders, sure: true };
  return { holders: await openWriters(session, "this database"), sure: false };
}

/**
 * Runs `work`, and names the holder of the lock if it fails because of a lock.
 *
 * @param statements what `work` sends; or the quoted names of the objects that it changes, for statements with a password
 * @throws SqlError with the same SQLSTATE as the server's, and with who holds the lock and what to do about it
 */
export async function explainLocks<Result>(
  session: Reader,
  statements: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!hasCode(error, ...LOCKED)) throw error;
    const found = await statementHolders(session, statements).catch(() => undefined);
    const hint = found && describeHolders(found.holders, found.sure);
    throw new SqlError(error.reason, error.code, error.detail, hint ?? error.hint);
  }
}

/** {@link explainLocks} for objects that are given by their names. */
export function explainLocksOn<Result>(
  session: Reader,
  names: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  return explainLocks(session, names.map(quoteIdentifier), work);
}

/**
 * Who holds the lock, and what to do, as sentences. `undefined` if nobody is known to hold it: it may be free by now.
 *
 * @param sure whether these hold the lock; otherwise one of them may
 * @param then what to do when it has ended, with a space before it; empty where the caller says so itself
 */
export function describeHolders(
  holders: readonly Holder[],
  sure = true,
  then = " Then run again.",
): string | undefined {
  if (holders.length === 0) return undefined;
  const ends = holders.flatMap(({ pid, prepared, background }) => {
    if (background) return [];
    return pid === null
      ? `ROLLBACK PREPARED ${quoteLiteral(prepared ?? "")}`
      : `SELECT pg_terminate_backend(${pid})`;
  });
  const who = holders.map(describeHolder).join(sure ? " and " : " or ");
  const end = ends.length === 0 ? "" : `, or end it: ${ends.join("; ")}`;
  return `${sure ? "Held" : "Perhaps held"} by ${who}. Wait until that ends${end}.${then}`;
}

function describeHolder(holder: Holder): string {
  const { pid, prepared, role, application, since, state, command, background } = holder;
  const facts = [
    ...(background ? ["a process of the server itself, as autovacuum"] : []),
    ...(role === null ? [] : [`role ${role}`]),
    ...(application === null ? [] : [`application ${application}`]),
    ...(since === null ? [] : [`since ${since}`]),
    ...(state === null ? [] : [state]),
    ...(command === null ? [] : [`last statement ${command}`]),
  ];
  const who = pid === null ? `prepared transaction ${prepared ?? "(unknown)"}` : `session ${pid}`;
  return facts.length === 0 ? who : `${who} (${facts.join(", ")})`;
}
