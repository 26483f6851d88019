import type { LogicalReplicationInputs, PreflightInputs } from "../../contract/inputs";
import { UserError } from "../../contract/errors";
import type { Catalog } from "../../contract/catalog";
import {
  ownerFinding,
  preflight,
  selectionFindings,
  serverFindings,
  type Finding,
} from "../selection/findings";
import { existsAlready, madeByResource, markOf, ownership, type Mark } from "../ownership/mark";
import { formatTableName } from "../catalog/tableNames";
import { assertMayCreate } from "../role/replicationRole";
import { select } from "../selection/selection";
import type { Session } from "../../contract/session";
import { publishes } from "../catalog/membership";
import { bestIdentity } from "../catalog/publishability";
import { tablesByOid } from "../catalog/tableIndex";

/**
 * Looks for everything that stands in the way of the whole trail, before the first write of any resource.
 *
 * @throws UserError with one list: each obstacle and the way out
 */
export async function inspect(session: Session, inputs: LogicalReplicationInputs): Promise<void> {
  if (inputs.preflight === undefined) return;
  const made = (managedBy: string): Mark => markOf(session, { managedBy });
  preflight(obstacles(await session.catalog(), inputs.preflight, made));
}

/** What the catalog says against a plan. `made` is the mark of an object that a resource of this stack made. */
export function obstacles(
  catalog: Catalog,
  plan: PreflightInputs,
  made: (managedBy: string) => Mark,
): Finding[] {
  return [
    ...serverFindings(catalog, plan.slot),
    ...databaseFindings(catalog),
    ...roleFindings(catalog, plan, made(plan.roleManagedBy)),
    ...publicationFindings(catalog, plan, made(plan.publicationManagedBy)),
    ...tableFindings(catalog, plan),
  ];
}

function databaseFindings({ server }: Catalog): Finding[] {
  if (server.mayCreateInDatabase) return [];
  return [
    blocking(
      `Role ${server.currentRole}`,
      "may not create anything in the database, and a publication needs that.",
      `Run GRANT CREATE ON DATABASE ... TO "${server.currentRole}".`,
    ),
  ];
}

function roleFindings(catalog: Catalog, plan: PreflightInputs, mark: Mark): Finding[] {
  // A role made through Neon's API cannot carry a mark: whether it is ours is for the API side to tell.
  if (plan.roleCreatedBy === "api") return [];
  const role = catalog.roles.find(({ name }) => name === plan.role);
  if (role !== undefined) return existing(`Role "${role.name}"`, role.comment, plan, mark);
  try {
    assertMayCreate(catalog, plan.role);
    return [];
  } catch (error) {
    if (error instanceof UserError) return [blocking("", error.message, "")];
    throw error;
  }
}

function publicationFindings(catalog: Catalog, plan: PreflightInputs, mark: Mark): Finding[] {
  const publication = catalog.publications.find(({ name }) => name === plan.publication);
  if (publication === undefined) return [];
  return existing(`Publication "${publication.name}"`, publication.comment, plan, mark);
}

function existing(what: string, comment: string | null, { adopt }: PreflightInputs, mark: Mark): Finding[] {
  if (adopt || madeByResource(comment, mark)) return [];
  return [blocking("", existsAlready(what, ownership(comment, mark), comment), "")];
}

/** Tables that cannot be tracked block where the user named them; in a selected schema they are left out, and named. */
function tableFindings(catalog: Catalog, plan: PreflightInputs): Finding[] {
  const selection = select(catalog, plan);
  const byOid = tablesByOid(catalog);
  const publication = catalog.publications.find(({ name }) => name === plan.publication);
  const findings = selectionFindings(selection);
  for (const table of selection.tables) {
    const done =
      table.identity === "full" && publication !== undefined && publishes(publication, table, byOid);
    if (!table.mayAlter && !done) findings.push(ownerFinding(table, catalog));
    if (table.partitioned || plan.tables === undefined) continue;
    const { identity, because = "" } = bestIdentity(table, catalog);
    if (identity === "none")
      findings.push(
        blocking(
          formatTableName(table),
          `cannot be published: it ${because}, and it has no primary key either, so its UPDATEs and DELETEs would fail.`,
          "Give it a primary key, or take it out of tables.",
        ),
      );
  }
  return findings;
}

function blocking(subject: string, message: string, remedy: string): Finding {
  return { severity: "blocking", subject, message, remedy };
}
