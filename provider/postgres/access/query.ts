import type { Session } from "../../contract/session";
import type { DefaultPrivilege, Held, Missing, Scope } from "./privileges";

/**
 * What the role cannot read of a scope. One statement, whatever the number of tables.
 *
 * @param role a role that does not exist can read what PUBLIC can
 * @param going default privileges of the role that count as revoked already
 */
export async function readMissing(
  session: Session,
  role: string,
  scope: Scope,
  going: readonly DefaultPrivilege[] = [],
): Promise<Missing> {
  const [row] = await session.read<{ missing: Missing }>(MISSING, [
    role,
    scope.tables,
    scope.schemas,
    scope.defaults,
    JSON.stringify(going),
  ]);
  if (row === undefined) throw new Error("the query for missing privileges returned no row");
  return row.missing;
}

/** One statement: every SELECT on a table, USAGE on a schema and default privilege that names the role. */
export async function readHeld(session: Session, role: string): Promise<Held> {
  const [row] = await session.read<{ held: Held }>(HELD, [role]);
  if (row === undefined) throw new Error("the query for granted privileges returned no row");
  return row.held;
}

const DEFAULT_ENTRIES = `
  SELECT d.defaclrole AS owner, d.defaclnamespace AS schema,
         CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' ELSE 'SCHEMAS' END AS objects, a.grantee
    FROM pg_catalog.pg_default_acl d CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a
   WHERE (d.defaclobjtype = 'r' AND a.privilege_type = 'SELECT')
      OR (d.defaclobjtype = 'n' AND a.privilege_type = 'USAGE')`;

/** The oid 0 means PUBLIC. */
const MISSING = `
WITH reader AS MATERIALIZED (
  SELECT coalesce((SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = $1), 0::oid) AS oid),
going AS MATERIALIZED (
  SELECT r.oid AS owner, coalesce(n.oid, 0) AS schema, g.objects
    FROM jsonb_to_recordset($5::jsonb) g (owner text, schema text, objects text)
    JOIN pg_catalog.pg_roles r ON r.rolname = g.owner LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = g.schema),
tab AS MATERIALIZED (
  SELECT c.oid, c.relnamespace, c.relowner,
         pg_catalog.has_table_privilege(reader.oid, c.oid, 'SELECT') AS readable
    FROM unnest($2::oid[]) wanted (oid) JOIN pg_catalog.pg_class c USING (oid) CROSS JOIN reader),
sch AS MATERIALIZED (
  SELECT n.oid, n.nspname, n.nspowner, pg_catalog.has_schema_privilege(reader.oid, n.oid, 'USAGE') AS usable
    FROM pg_catalog.pg_namespace n CROSS JOIN reader
   WHERE n.nspname = ANY ($3::text[]) OR n.oid IN (SELECT relnamespace FROM tab)),
entry AS MATERIALIZED (
  SELECT e.* FROM (${DEFAULT_ENTRIES}) e CROSS JOIN reader
   WHERE e.grantee <> reader.oid OR (e.owner, e.schema, e.objects) NOT IN (SELECT owner, schema, objects FROM going)),
creator AS (
  SELECT DISTINCT tab.relowner AS owner, CASE WHEN $4 = 'everywhere' THEN 0 ELSE tab.relnamespace END AS schema
    FROM tab WHERE $4 <> 'nowhere'
   UNION
  SELECT me.oid, sch.oid FROM sch, pg_catalog.pg_roles me
   WHERE me.rolname = current_user AND $4 = 'in these schemas'
   UNION
  SELECT me.oid, 0 FROM pg_catalog.pg_roles me WHERE me.rolname = current_user AND $4 = 'everywhere'),
due AS (
  SELECT c.owner, c.schema, k.objects FROM creator c CROSS JOIN (VALUES ('TABLES'), ('SCHEMAS')) k (objects)
   WHERE (k.objects = 'TABLES' OR c.schema = 0)
     AND (c.schema = 0 OR (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = c.schema) = ANY ($3::text[]))
     AND NOT EXISTS (SELECT FROM reader WHERE pg_catalog.pg_has_role(reader.oid, 'pg_read_all_data', 'USAGE')
                                           OR reader.oid = c.owner)
     AND NOT EXISTS (
       SELECT FROM entry e, reader
        WHERE e.owner = c.owner AND e.schema IN (c.schema, 0) AND e.objects = k.objects
          AND e.grantee IN (reader.oid, 0)))
SELECT json_build_object(
  'readable', (SELECT count(*) FROM tab JOIN sch ON sch.oid = tab.relnamespace WHERE tab.readable AND sch.usable),
  'tables', (SELECT coalesce(json_agg(oid::int8), '[]') FROM tab WHERE NOT readable),
  'schemas', (
    SELECT coalesce(json_agg(json_build_object(
             'oid', oid::int8, 'schema', nspname, 'mayAct', pg_catalog.pg_has_role(nspowner, 'USAGE'))), '[]')
      FROM sch WHERE NOT usable),
  'defaults', (
    SELECT coalesce(json_agg(json_build_object(
             'owner', pg_catalog.pg_get_userbyid(owner), 'objects', objects,
             'schema', (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = due.schema),
             'mayAct', pg_catalog.pg_has_role(owner, 'USAGE'))), '[]')
      FROM due)
) AS missing`;

const HELD = `
WITH reader AS MATERIALIZED (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = $1),
entry AS MATERIALIZED (${DEFAULT_ENTRIES})
SELECT json_build_object(
  'tables', (
    SELECT coalesce(json_agg(json_build_object(
             'oid', c.oid::int8, 'mayAct', pg_catalog.pg_has_role(c.relowner, 'USAGE'))), '[]')
      FROM pg_catalog.pg_class c CROSS JOIN reader
     WHERE c.relkind IN ('r', 'p') AND c.relacl IS NOT NULL AND EXISTS (
       SELECT FROM pg_catalog.aclexplode(c.relacl) a WHERE a.grantee = reader.oid AND a.privilege_type = 'SELECT')),
  'schemas', (
    SELECT coalesce(json_agg(json_build_object(
             'oid', n.oid::int8, 'schema', n.nspname, 'mayAct', pg_catalog.pg_has_role(n.nspowner, 'USAGE'))), '[]')
      FROM pg_catalog.pg_namespace n CROSS JOIN reader
     WHERE EXISTS (
       SELECT FROM pg_catalog.aclexplode(n.nspacl) a WHERE a.grantee = reader.oid AND a.privilege_type = 'USAGE')),
  'defaults', (
    SELECT coalesce(json_agg(json_build_object(
             'owner', pg_catalog.pg_get_userbyid(e.owner), 'objects', e.objects,
             'schema', (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = e.schema),
             'mayAct', pg_catalog.pg_has_role(e.owner, 'USAGE'))), '[]')
      FROM entry e JOIN reader ON reader.oid = e.grantee)
) AS held`;
