import type { LogicalReplicationInputs, PreflightInputs } from "../../contract/kinds/logicalReplication";
import type { Catalog, RoleFacts } from "../../contract/catalog";
import type { Claims } from "../../contract/claims";
import {
  blocking,
  ownerFinding,
  preflight,
  selectionFindings,
  serverFindings,
  type Finding,
} from "../selection/findings";
import {
  databaseObjectMark,
  existsAlready,
  hasMark,
  isAdoptable,
  madeByResource,
  ownership,
  type Mark,
} from "../ownership/mark";
import { EFFECT_OF_ADOPTING_ROLE } from "../ownership/handMade";
import { madeBy, ownershipOf, publicationExists } from "../ownership/ownObjects";
import { formatTableName } from "../catalog/tableNames";
import { keyFindings } from "../identity/keyFindings";
import { keepsKey, trackedTables } from "../identity/trackedTables";
import { existingPart } from "../selection/existing";
import { foreignSchema } from "../record/moduleSchema";
import { obstacleToCreate } from "../role/plan";
import { select } from "../selection/selection";
import type { Session } from "../../contract/session";
import { publishes } from "../catalog/membership";
import { tablesByOid } from "../catalog/tableIndex";

/** What is inspected. */
interface Inspected {
  /** The database as it is, or in a preview as it will be. */
  readonly catalog: () => Promise<Catalog>;
  /** Whether the trail is in the state, so that its role and publication may exist. */
  readonly exists: boolean;
  /** What the other trails of the process are going to make. */
  readonly claims: Claims;
}

/**
 * Looks for every obstacle to the whole trail, before the first write of any resource.
 *
 * @throws UserError with one list: each obstacle and what to do about it
 */
export async function inspect(
  session: Session,
  inputs: LogicalReplicationInputs,
  { catalog, exists, claims }: Inspected,
): Promise<void> {
  if (inputs.preflight === undefined) return;
  const made = (managedBy: string): Mark => databaseObjectMark(session, { managedBy });
  preflight([
    ...claimFindings(session.target, inputs.preflight, claims),
    ...obstacles(await catalog(), inputs.preflight, made, exists),
  ]);
}

/**
 * The obstacles that the catalog shows.
 *
 * @param made the mark of an object that the given resource of this stack made
 * @param exists whether the trail is in the state. Then only its role and its publication can tell whether an object is
 *   theirs: they know the ids in the marks.
 */
export function obstacles(
  catalog: Catalog,
  plan: PreflightInputs,
  made: (managedBy: string) => Mark,
  exists = false,
): Finding[] {
  return [
    ...serverFindings(catalog, plan.slot),
    ...databaseFindings(catalog),
    ...(exists ? [] : schemaFindings(catalog)),
    ...makerFindings(catalog, plan, exists),
    ...(exists ? [] : roleFindings(catalog, plan, made(plan.roleManagedBy))),
    ...(exists ? [] : publicationFindings(catalog, plan, made(plan.publicationManagedBy))),
    ...tableFindings(catalog, plan),
  ];
}

/** The names that another trail of the same program wants for itself. Neither trail needs to exist yet. */
export function claimFindings(
  { projectId, branchId, database }: Session["target"],
  { role, roleManagedBy, publication, slot }: PreflightInputs,
  claims: Claims,
): Finding[] {
  const branch = [projectId, branchId];
  // The component names its role after itself.
  const trail = `${roleManagedBy.replace(/-role$/, "")} (database ${database.name})`;
  const names = [
    {
      subject: `Role "${role}"`,
      key: [...branch, "role", role],
      remedy: "All databases of a branch share its roles. Give one of the trails another role.name.",
    },
    {
      subject: `Slot "${slot}"`,
      key: [...branch, "slot", slot],
      remedy:
        "A slot belongs to one database, and its name exists once per branch. Give one of the trails another slot.",
    },
    {
      subject: `Publication "${publication}"`,
      key: [...branch, database.name, "publication", publication],
      remedy: "Give one of the trails another publication.",
    },
  ];
  return names.flatMap(({ subject, key, remedy }) => {
    const other = claims.take(key, trail);
    return other === undefined
      ? []
      : [blocking(subject, `is wanted by two trails, ${other} and ${trail}.`, remedy)];
  });
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

/** What destroy has to give back is kept in the schema of the module's name, so it must not be somebody else's. */
function schemaFindings(catalog: Catalog): Finding[] {
  const found = foreignSchema(catalog);
  return found === undefined ? [] : [blocking("", found, "Rename the schema or drop it.")];
}

function roleFindings(catalog: Catalog, plan: PreflightInputs, mark: Mark): Finding[] {
  const role = catalog.roles.find(({ name }) => name === plan.role);
  if (plan.roleCreatedBy === "api") return role === undefined ? [] : existingApiRole(role, plan);
  if (role !== undefined) return existingRole(`Role "${role.name}"`, role.comment, plan, mark);
  const obstacle = obstacleToCreate(catalog, plan.role);
  return obstacle === undefined ? [] : [blocking("", obstacle, "")];
}

/**
 * A role made through Neon's API carries no mark, but ApiRole makes its role only after logical replication is in the state:
 * one that is there before is not the trail's. One that is marked was made in SQL, which {@link makerFindings} says.
 */
function existingApiRole({ name, comment, canLogin }: RoleFacts, { adopt }: PreflightInputs): Finding[] {
  if (hasMark(comment)) return [];
  if (!adopt)
    return [
      blocking(
        `Role "${name}"`,
        "exists already.",
        "Set adopt: true to use it (it then survives a destroy), or choose another role.name.",
      ),
    ];
  return canLogin
    ? []
    : [blocking(`Role "${name}"`, "exists already, and cannot log in.", "Choose another role.name.")];
}

/**
 * A trail whose role is to be made in another way, under the same name. Pulumi makes the new role before it removes the
 * old one, so the new one would take the old one over, and be removed with it.
 */
function makerFindings(catalog: Catalog, plan: PreflightInputs, exists: boolean): Finding[] {
  const role = catalog.roles.find(({ name }) => name === plan.role);
  if (role === undefined) return [];
  const inSql = hasMark(role.comment);
  const another =
    plan.roleCreatedBy === "api" ? inSql : exists && !inSql && role.memberOf.includes("neon_superuser");
  if (!another) return [];
  const [was, is] = inSql ? ["in SQL", "through Neon's API"] : ["through Neon's API", "in SQL"];
  return [
    blocking(
      `Role "${role.name}"`,
      `was made ${was}, and is to be made ${is} now.`,
      "Change role.name together with role.createdBy: up then makes the new role, and removes this one.",
    ),
  ];
}

function publicationFindings(catalog: Catalog, plan: PreflightInputs, mark: Mark): Finding[] {
  const publication = catalog.publications.find(({ name }) => name === plan.publication);
  if (publication === undefined) return [];
  const found = ownershipOf(publication, mark, catalog);
  if (madeBy(publication, mark, catalog) || (plan.adopt && isAdoptable(found))) return [];
  return [blocking("", publicationExists(publication, mark, catalog), "")];
}

function existingRole(
  what: string,
  comment: string | null,
  { adopt }: PreflightInputs,
  mark: Mark,
): Finding[] {
  const found = ownership(comment, mark);
  if (madeByResource(comment, mark) || (adopt && isAdoptable(found))) return [];
  return [blocking("", existsAlready(what, found, comment, mark, EFFECT_OF_ADOPTING_ROLE), "")];
}

/**
 * A table that cannot be tracked is an obstacle if the inputs name it. In a selected schema it is left out, and a
 * finding names it.
 */
function tableFindings(catalog: Catalog, plan: PreflightInputs): Finding[] {
  const { selection } = plan.migrations === true ? existingPart(catalog, plan) : { selection: plan };
  const selected = select(catalog, selection);
  const byOid = tablesByOid(catalog);
  const publication = catalog.publications.find(({ name }) => name === plan.publication);
  const findings = [...selectionFindings(selected), ...keyFindings(catalog, selection)];
  for (const entry of trackedTables(catalog, selection)) {
    const { table, best, because = "" } = entry;
    const done =
      (table.identity === "full" || keepsKey(entry)) &&
      publication !== undefined &&
      publishes(publication, table, byOid);
    if (!table.mayAlter && !done) findings.push(ownerFinding(table, catalog));
    if (table.partitioned || plan.tables === undefined) continue;
    if (best === "none")
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
