import type { Session } from "../../contract/session";

interface Holder {
  readonly pid: number;
  readonly role: string | null;
  readonly application: string | null;
  readonly since: string | null;
}

/**
 * Who keeps a relation locked, for a message: `process 4711 (role app, application psql, in a transaction since ...)`.
 * `undefined` when nobody does (any more). PostgreSQL shows the details of other roles' sessions only to some roles.
 *
 * @param relation qualified, quoted name
 */
export async function describeHolders(
  session: Pick<Session, "read">,
  relation: string,
): Promise<string | undefined> {
  const holders = await session.read<Holder>(
    `SELECT l.pid, a.usename AS role, nullif(a.application_name, '') AS application,
            to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS since
       FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
      WHERE l.locktype = 'relation' AND l.granted AND l.relation = to_regclass($1) AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
      GROUP BY 1, 2, 3, a.xact_start ORDER BY a.xact_start LIMIT 3`,
    [relation],
  );
  if (holders.length === 0) return undefined;
  return holders.map(describeHolder).join(", ");
}

function describeHolder({ pid, role, application, since }: Holder): string {
  const details = [
    ...(role === null ? [] : [`role ${role}`]),
    ...(application === null ? [] : [`application ${application}`]),
    ...(since === null ? [] : [`in a transaction since ${since}`]),
  ];
  return `process ${pid}${details.length === 0 ? "" : ` (${details.join(", ")})`}`;
}
