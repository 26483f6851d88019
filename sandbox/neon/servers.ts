import { escapeIdentifier, escapeLiteral } from "pg";
import type { Compute } from "../compute";
import { newPassword } from "./names";
import { isRunning, type BranchState, type Neon, type ProjectState, type RoleState } from "./state";

/**
 * Attributes of roles that are made through Neon's API (compute_tools/src/spec_apply.rs). Each role has them itself,
 * because in PostgreSQL a member of a group does not inherit its attributes.
 */
const NEON_ATTRIBUTES = "INHERIT CREATEROLE CREATEDB BYPASSRLS REPLICATION";

/** Makes the owner role, which is a role of the API like any other, and its database on a project's root branch. */
export async function setUpServer(
  compute: Compute,
  branchId: string,
  owner: RoleState,
  database: string,
): Promise<void> {
  await createApiRole(compute, branchId, owner);
  await createDatabase(compute, branchId, database, owner.name);
}

export async function createDatabase(
  compute: Compute,
  branchId: string,
  name: string,
  owner: string,
): Promise<void> {
  const database = escapeIdentifier(name);
  await compute.sql(branchId, `CREATE DATABASE ${database} OWNER ${escapeIdentifier(owner)}`);
  await compute.sql(branchId, `GRANT ALL ON DATABASE ${database} TO neon_superuser`);
}

export async function dropDatabase(compute: Compute, branchId: string, name: string): Promise<void> {
  await compute.sql(branchId, `DROP DATABASE ${escapeIdentifier(name)} WITH (FORCE)`);
}

/**
 * Makes a role as Neon's control plane does: as `cloud_admin`. So from PostgreSQL 16 on the owner of the database has
 * no ADMIN OPTION on the role.
 */
export async function createApiRole(compute: Compute, branchId: string, role: RoleState): Promise<void> {
  const login = role.password === undefined ? "NOLOGIN" : `LOGIN PASSWORD ${escapeLiteral(role.password)}`;
  await compute.sql(
    branchId,
    `CREATE ROLE ${escapeIdentifier(role.name)} ${NEON_ATTRIBUTES} IN ROLE neon_superuser ${login}`,
  );
  await rememberVerifier(compute, branchId, role);
}

/** Makes the roles that the control plane knows although SQL rolled them back. */
export async function makeGhosts(compute: Compute, branch: BranchState): Promise<void> {
  const now = new Date();
  for (const name of branch.ghosts) {
    branch.ghosts.delete(name);
    const role = { name, login: true, password: newPassword(), createdAt: now, updatedAt: now };
    await createApiRole(compute, branch.id, role);
  }
}

export async function setPassword(
  compute: Compute,
  branchId: string,
  role: RoleState,
  password: string,
): Promise<void> {
  await compute.sql(
    branchId,
    `ALTER ROLE ${escapeIdentifier(role.name)} PASSWORD ${escapeLiteral(password)}`,
  );
  role.password = password;
  role.updatedAt = new Date();
  await rememberVerifier(compute, branchId, role);
}

/**
 * Empties every table of a copy that is to have the schema only. Neon writes the schema anew; here the objects keep their
 * oids.
 */
export async function removeRows(compute: Compute, branch: BranchState): Promise<void> {
  for (const { name } of branch.databases)
    await compute.sql(
      branch.id,
      `DO $$
         DECLARE tables text;
         BEGIN
           SELECT pg_catalog.string_agg(c.oid::pg_catalog.regclass::text, ', ') INTO tables
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
              AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';
           IF tables IS NOT NULL THEN EXECUTE 'TRUNCATE ' || tables; END IF;
         END $$`,
      [],
      name,
    );
}

/**
 * Drops a role. In every database, the objects that it owns are reassigned to the owner of the database, as
 * compute_tools/src/spec_apply.rs does.
 */
export async function dropRole(compute: Compute, branchId: string, name: string): Promise<void> {
  const role = escapeIdentifier(name);
  const databases = await compute.sql<{ name: string; owner: string }>(
    branchId,
    `SELECT datname AS name, pg_catalog.pg_get_userbyid(datdba) AS owner
       FROM pg_catalog.pg_database WHERE datallowconn AND datname <> 'template1'`,
  );
  for (const database of databases) {
    const heir = escapeIdentifier(database.owner);
    await compute.sql(branchId, `REASSIGN OWNED BY ${role} TO ${heir}`, [], database.name);
    await compute.sql(branchId, `DROP OWNED BY ${role}`, [], database.name);
  }
  await compute.sql(branchId, `DROP ROLE ${role}`);
}

async function rememberVerifier(compute: Compute, branchId: string, role: RoleState): Promise<void> {
  const [found] = await compute.sql<{ oid: string; verifier: string | null }>(
    branchId,
    `SELECT oid::text AS oid, rolpassword AS verifier FROM pg_catalog.pg_authid WHERE rolname = $1`,
    [role.name],
  );
  role.oid = Number(found?.oid);
  role.verifier = found?.verifier ?? null;
}

interface RoleRow {
  name: string;
  oid: string;
  login: boolean;
  verifier: string | null;
}

interface DatabaseRow {
  name: string;
  oid: string;
  owner: string;
}

/**
 * Reads the branch's roles and databases from its server, so that objects made in SQL appear. A stopped server is not
 * started, because nobody can have changed it. While operations run nothing is read: the lists then show the result to
 * which the operations lead.
 */
export async function refresh(neon: Neon, project: ProjectState, branch: BranchState): Promise<void> {
  if (project.operations.busy || !isRunning(neon, branch)) return;
  await readServer(neon.compute, branch, () => !project.operations.busy);
}

/**
 * Reads the branch's roles and databases from its server.
 *
 * @param stillValid asked after the read: `false` discards what was read. Default: always `true`
 */
export async function readServer(
  compute: Compute,
  branch: BranchState,
  stillValid: () => boolean = () => true,
): Promise<void> {
  // In one statement, so that both lists are of the same moment.
  const [found] = await compute.sql<{ roles: RoleRow[] | null; databases: DatabaseRow[] | null }>(
    branch.id,
    `SELECT (SELECT pg_catalog.json_agg(r ORDER BY r.name)
               FROM (SELECT rolname AS name, oid::text AS oid, rolcanlogin AS login, rolpassword AS verifier
                       FROM pg_catalog.pg_authid
                      WHERE rolname !~ '^pg_' AND rolname NOT IN ('cloud_admin', 'neon_superuser')) r) AS roles,
            (SELECT pg_catalog.json_agg(d ORDER BY d.name)
               FROM (SELECT datname AS name, oid::text AS oid, pg_catalog.pg_get_userbyid(datdba) AS owner
                       FROM pg_catalog.pg_database WHERE NOT datistemplate AND datname <> 'postgres') d) AS databases`,
  );
  if (!stillValid()) return;
  branch.roles = (found?.roles ?? []).map((row) => mergeRole(branch, row));
  branch.databases = (found?.databases ?? []).map((row) => mergeDatabase(branch, row));
}

function mergeRole(branch: BranchState, row: RoleRow): RoleState {
  const oid = Number(row.oid);
  const known = branch.roles.find((role) => role.name === row.name && role.oid === oid);
  const now = new Date();
  if (known === undefined)
    return {
      name: row.name,
      login: row.login,
      oid,
      verifier: row.verifier,
      createdAt: now,
      updatedAt: now,
    };
  if (known.verifier === row.verifier && known.login === row.login) return known;
  const password = known.verifier === row.verifier ? known.password : undefined;
  return { ...known, login: row.login, verifier: row.verifier, password, updatedAt: now };
}

function mergeDatabase(branch: BranchState, row: DatabaseRow): BranchState["databases"][number] {
  const known = branch.databases.find((database) => database.name === row.name);
  if (known?.owner === row.owner) return known;
  const now = new Date();
  return {
    id: known?.id ?? Number(row.oid),
    name: row.name,
    owner: row.owner,
    createdAt: known?.createdAt ?? now,
    updatedAt: now,
  };
}
