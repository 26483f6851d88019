/**
 * A statement that returns one row per fact: (kind, object, value). It works on PostgreSQL 14 to 18: where the columns
 * of a catalog differ between versions, the row is taken as JSON, without its oids.
 *
 * After a GRANT and its REVOKE, the catalog states privileges that it stated by an empty ACL before. So an empty ACL is
 * replaced by the default privileges that it stands for, and both compare equal.
 *
 * @param serverVersion - `server_version_num`, e.g. 170004
 */
export function catalogFactsStatement(serverVersion: number): string {
  // PostgreSQL 14 has no privileges on parameters. Its publications have no schemas, column lists or row filters.
  const from15 = (rows: string): string => (serverVersion < 150000 ? "" : `UNION ALL ${rows}`);
  const published = serverVersion < 150000 ? "''" : PUBLISHED_PART;
  return `
WITH
user_schema AS (
  SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
),
relation AS (
  SELECT c.*, n.nspname FROM pg_catalog.pg_class c JOIN user_schema n ON n.oid = c.relnamespace
),
-- Of the objects outside the user's schemas, only those on which somebody has set privileges count.
secured (kind, name, acl) AS (
  SELECT 'database', d.datname::text, coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))
  FROM pg_catalog.pg_database d
  UNION ALL
  SELECT 'schema', n.nspname::text, coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
  FROM pg_catalog.pg_namespace n WHERE n.nspacl IS NOT NULL OR n.oid IN (SELECT oid FROM user_schema)
  UNION ALL
  SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'relation' END, pg_catalog.format('%I.%I', n.nspname, c.relname),
         coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND (c.relacl IS NOT NULL OR n.oid IN (SELECT oid FROM user_schema))
  UNION ALL
  SELECT 'column', pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname), a.attacl
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
  UNION ALL
  SELECT 'function',
         pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)),
         coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE p.proacl IS NOT NULL OR n.oid IN (SELECT oid FROM user_schema)
  ${from15("SELECT 'parameter', parname, paracl FROM pg_catalog.pg_parameter_acl")}
),
privilege AS (
  SELECT s.kind, s.name, a.grantor, a.grantee, a.privilege_type, a.is_grantable
  FROM secured s, LATERAL pg_catalog.aclexplode(s.acl) a
),
fact (kind, object, value) AS (
  SELECT 'role', r.rolname::text,
         ((pg_catalog.to_jsonb(r) - 'oid' - 'rolname' - 'rolpassword')
           || pg_catalog.jsonb_build_object('password', pg_catalog.md5(s.rolpassword)))::text
  FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_authid s ON s.oid = r.oid WHERE r.rolname !~ '^pg_'
  UNION ALL
  SELECT 'membership',
         pg_catalog.format('%I in %I, granted by %I', pg_catalog.pg_get_userbyid(m.member),
                           pg_catalog.pg_get_userbyid(m.roleid), pg_catalog.pg_get_userbyid(m.grantor)),
         (pg_catalog.to_jsonb(m) - 'oid' - 'roleid' - 'member' - 'grantor')::text
  FROM pg_catalog.pg_auth_members m
  UNION ALL
  SELECT 'role setting',
         pg_catalog.format('%s in %s', coalesce(r.rolname::text, 'all roles'), coalesce(d.datname::text, 'all databases')),
         s.setconfig::text
  FROM pg_catalog.pg_db_role_setting s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  UNION ALL
  SELECT 'privilege',
         pg_catalog.format('%s on %s %s to %s, granted by %s', p.privilege_type, p.kind, p.name,
                           CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(p.grantee)::text END,
                           pg_catalog.pg_get_userbyid(p.grantor)),
         CASE WHEN p.is_grantable THEN 'with grant option' ELSE 'granted' END
  FROM privilege p
  UNION ALL
  SELECT 'default privilege',
         pg_catalog.format('on %s made by %s in %s: %s', d.defaclobjtype, pg_catalog.pg_get_userbyid(d.defaclrole),
                           coalesce(n.nspname::text, 'all schemas'),
                           coalesce(a.privilege_type || ' to '
                                      || CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                                        ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END, 'none')),
         coalesce(a.is_grantable::text, '')
  FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
  LEFT JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a ON true
  UNION ALL
  SELECT 'publication', pubname::text,
         (pg_catalog.to_jsonb(p) - 'oid' - 'pubname' - 'pubowner')::text || ' owned by '
           || pg_catalog.pg_get_userbyid(pubowner)
  FROM pg_catalog.pg_publication p
  UNION ALL
  SELECT 'published table', pg_catalog.format('%I.%I in %I', n.nspname, c.relname, p.pubname), ${published}
  FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
  JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  ${from15(PUBLISHED_SCHEMAS)}
  UNION ALL
  SELECT 'replica identity', pg_catalog.format('%I.%I', r.nspname, r.relname),
         CASE r.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full'
           ELSE 'index ' || coalesce((SELECT x.relname FROM pg_catalog.pg_index i
                                      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                                      WHERE i.indrelid = r.oid AND i.indisreplident), '(dropped)') END
  FROM relation r WHERE r.relkind IN ('r', 'p', 'm')
  UNION ALL
  SELECT 'event trigger', t.evtname::text,
         pg_catalog.concat_ws(' ', t.evtevent, t.evttags::text, t.evtenabled, t.evtfoid::pg_catalog.regproc,
                              'owned by', pg_catalog.pg_get_userbyid(t.evtowner))
  FROM pg_catalog.pg_event_trigger t
  UNION ALL
  SELECT 'function',
         pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)),
         pg_catalog.md5((pg_catalog.to_jsonb(p) - 'oid' - 'pronamespace' - 'proacl')::text)
  FROM pg_catalog.pg_proc p JOIN user_schema n ON n.oid = p.pronamespace
  UNION ALL
  SELECT 'schema', nspname::text, 'owned by ' || pg_catalog.pg_get_userbyid(nspowner) FROM user_schema
  UNION ALL
  SELECT 'relation', pg_catalog.format('%s %I.%I', r.relkind, r.nspname, r.relname),
         pg_catalog.format('owned by %I, %s, options %s, row security %s, columns %s',
                           pg_catalog.pg_get_userbyid(r.relowner), r.relpersistence, coalesce(r.reloptions::text, 'none'),
                           r.relrowsecurity,
                           (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname,
                                     a.atttypid::pg_catalog.regtype, a.atttypmod, a.attnotnull, a.attidentity,
                                     a.attgenerated, a.attstorage, a.attstattarget, a.attoptions::text), ',' ORDER BY a.attnum))
                            FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped))
  FROM relation r
  UNION ALL
  SELECT 'constraint', pg_catalog.format('%I on %I.%I', k.conname, r.nspname, r.relname),
         pg_catalog.pg_get_constraintdef(k.oid)
  FROM pg_catalog.pg_constraint k JOIN relation r ON r.oid = k.conrelid
  UNION ALL
  SELECT 'trigger', pg_catalog.format('%I on %I.%I', t.tgname, r.nspname, r.relname),
         pg_catalog.concat_ws(' ', t.tgenabled, pg_catalog.pg_get_triggerdef(t.oid))
  FROM pg_catalog.pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL
  SELECT 'policy', pg_catalog.format('%I on %I.%I', p.policyname, p.schemaname, p.tablename),
         (pg_catalog.to_jsonb(p) - 'schemaname' - 'tablename' - 'policyname')::text
  FROM pg_catalog.pg_policies p
  UNION ALL
  SELECT 'extension', extname::text, extversion FROM pg_catalog.pg_extension
  UNION ALL
  SELECT 'comment', i.type || ' ' || i.identity, d.description
  FROM pg_catalog.pg_description d,
       LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) i
  WHERE d.objoid >= 16384 OR d.objoid IN (SELECT oid FROM user_schema)
  UNION ALL
  SELECT 'comment', i.type || ' ' || i.identity, d.description
  FROM pg_catalog.pg_shdescription d, LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, 0) i
  UNION ALL
  SELECT 'replication slot', slot_name::text,
         pg_catalog.concat_ws(' ', slot_type, plugin, 'in', database, CASE WHEN temporary THEN 'temporary' END)
  FROM pg_catalog.pg_replication_slots
)
SELECT kind, object, value FROM fact ORDER BY kind, object`;
}

const PUBLISHED_PART = `
  pg_catalog.format('columns %s, rows %s', coalesce(r.prattrs::text, 'all'),
                    coalesce(pg_catalog.pg_get_expr(r.prqual, r.prrelid), 'all'))`;

const PUBLISHED_SCHEMAS = `
  SELECT 'published schema', pg_catalog.format('%I in %I', n.nspname, p.pubname), ''
  FROM pg_catalog.pg_publication_namespace s JOIN pg_catalog.pg_publication p ON p.oid = s.pnpubid
  JOIN pg_catalog.pg_namespace n ON n.oid = s.pnnspid`;
