import { UserError } from "../../contract/errors";
import type { Run } from "../../contract/kind";
import type { Target } from "../../contract/target";
import type { RoleFacts } from "../../contract/catalog";
import { endConnections, shutOut, withRightsOf } from "./consumer";
import type { Session } from "../../contract/session";
import { firstFew } from "../../contract/wording";
import { quoteIdentifier } from "../sql/quote";

/**
 * Drops a role of ours with everything that was granted to it, in every database. Its connections are ended first: a
 * role can be dropped while it is connected, and its session would live on.
 *
 * Throws a {@link UserError} that names what stands in the way: objects that it owns, databases out of reach.
 */
export async function dropRole(
  session: Session,
  role: RoleFacts,
  target: Target & { readonly database: string },
  run: Run,
): Promise<void> {
  run.checkpoint();
  await shutOut(session, role);
  await withRightsOf(session, role.name, async () => {
    await endConnections(session, role.name);
    const traces = await tracesOf(session, role);
    assertOwnsNothing(role, traces);
    run.checkpoint();
    const here = session.target.database.name;
    for (const { database } of traces) {
      if (database === null || database === here) continue;
      const other = { ...target, database };
      // Why it did not work out is in what is left: see below.
      await run.sql(other, (session) => revokeAll(session, role)).catch(() => undefined);
      await run.closeSql(other);
    }
    // Grants on shared objects, such as the database itself, go with those of any database.
    if (traces.some(({ database }) => database === null || database === here)) await revokeAll(session, role);
    const left = await tracesOf(session, role);
    if (left.length > 0) throw outOfReach(role, left);
    await session.write(`DROP ROLE IF EXISTS ${quoteIdentifier(role.name)}`);
  });
}

/** Objects that name the role, by database (`null`: shared by all), whether as owner or in their privileges. */
interface Trace {
  readonly database: string | null;
  readonly owns: boolean;
  readonly objects: number;
}

function tracesOf(session: Session, role: RoleFacts): Promise<Trace[]> {
  return session.read<Trace>(
    `SELECT d.datname AS database, s.deptype = 'o' AS owns, count(*)::int4 AS objects
       FROM pg_catalog.pg_shdepend s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
      WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = $1
      GROUP BY 1, 2 ORDER BY 1, 2`,
    [role.oid],
  );
}

async function revokeAll(session: Session, role: RoleFacts): Promise<void> {
  await session.write(`DROP OWNED BY ${quoteIdentifier(role.name)}`);
}

/** DROP OWNED would take them along. */
function assertOwnsNothing(role: RoleFacts, traces: readonly Trace[]): void {
  const owned = traces.filter(({ owns }) => owns);
  if (owned.length === 0) return;
  throw new UserError(
    `Role "${role.name}" is not dropped, as it owns ${describe(owned)}. Give them to another role (REASSIGN OWNED BY ${quoteIdentifier(role.name)} TO ...) or drop them, and run again.`,
  );
}

function outOfReach(role: RoleFacts, traces: readonly Trace[]): UserError {
  return new UserError(
    `Role "${role.name}" cannot be dropped yet: privileges of ${describe(traces)} were granted to it by others. Run DROP OWNED BY ${quoteIdentifier(role.name)} there as a role that may, and run again.`,
  );
}

function describe(traces: readonly Trace[]): string {
  return firstFew(
    traces.map(
      ({ database, objects }) =>
        `${objects} ${objects === 1 ? "object" : "objects"} ${database === null ? "shared by all databases" : `in database "${database}"`}`,
    ),
  );
}
