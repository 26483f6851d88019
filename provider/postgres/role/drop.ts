import { UserError } from "../../contract/errors";
import type { Run } from "../../contract/kind";
import type { Target } from "../../contract/target";
import type { RoleFacts } from "../../contract/catalog";
import { changeRoles, endConnections, withRightsOf } from "./consumer";
import type { Session } from "../../contract/session";
import { firstFew } from "../../contract/wording";
import { unlessOvertaken } from "../sql/block";
import { explainLocksOn } from "../sql/holders";
import { quoteIdentifier } from "../sql/quote";

/**
 * Drops a role that this module made, with everything that was granted to it in every database. Its login must be
 * disabled already. Its connections are ended first: PostgreSQL drops a role that is connected, and its session would
 * live on.
 *
 * @throws UserError that names the objects which the role owns, or the databases in which its privileges remain
 */
export async function dropRole(
  session: Session,
  role: DroppedRole,
  target: Target & { readonly database: string },
  run: Run,
): Promise<void> {
  await withRightsOf(session, role.name, async () => {
    await endConnections(session, role.name);
    const traces = await tracesOf(session, role);
    assertOwnsNothing(role, traces);
    run.checkpoint();
    const here = session.target.database.name;
    for (const { database } of traces) {
      if (database === null || database === here) continue;
      const other = { ...target, database };
      // Whatever failed is among the traces that are left, which the error below names.
      await run.sql(other, (session) => revokeAll(session, role)).catch(() => undefined);
      await run.closeSql(other);
    }
    // In any database, DROP OWNED also revokes privileges on shared objects such as the database itself.
    if (traces.some(({ database }) => database === null || database === here)) await revokeAll(session, role);
    const left = await tracesOf(session, role);
    if (left.length > 0) throw outOfReach(role, left);
    await changeRoles(session, role.name, run, {
      what: `dropping role "${role.name}"`,
      statement: `DROP ROLE IF EXISTS ${quoteIdentifier(role.name)}`,
    });
  });
}

/** The role to drop. */
type DroppedRole = Pick<RoleFacts, "name" | "oid">;

/** How many objects of a database name the role. */
interface Trace {
  /** `null`: objects that all databases share. */
  readonly database: string | null;
  /** As their owner; otherwise in their privileges. */
  readonly owns: boolean;
  readonly objects: number;
}

function tracesOf(session: Session, role: DroppedRole): Promise<Trace[]> {
  return session.read<Trace>(
    `SELECT d.datname AS database, s.deptype = 'o' AS owns, count(*)::int4 AS objects
       FROM pg_catalog.pg_shdepend s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
      WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = $1
      GROUP BY 1, 2 ORDER BY 1, 2`,
    [role.oid],
  );
}

async function revokeAll(session: Session, role: DroppedRole): Promise<void> {
  await explainLocksOn(session, [role.name], () =>
    unlessOvertaken(() => session.write(`DROP OWNED BY ${quoteIdentifier(role.name)}`)),
  );
}

/** DROP OWNED would drop what the role owns. */
function assertOwnsNothing(role: DroppedRole, traces: readonly Trace[]): void {
  const owned = traces.filter(({ owns }) => owns);
  if (owned.length === 0) return;
  throw new UserError(
    `Role "${role.name}" is not dropped, as it owns ${describe(owned)}. Give them to another role (REASSIGN OWNED BY ${quoteIdentifier(role.name)} TO ...) or drop them, and run again.`,
  );
}

function outOfReach(role: DroppedRole, traces: readonly Trace[]): UserError {
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
