import { capabilities } from "../../contract/capabilities";
import type {
  Catalog,
  IndexFacts,
  ListedIn,
  OtherRelation,
  PublicationFacts,
  TableFacts,
} from "../../contract/catalog";
import type { Reader } from "../../contract/session";
import { quoteLiteral } from "../sql/quote";
import { families, type ParentRow } from "./families";
import { INDEX_FACTS, toIdentity } from "./identities";
import { MODULE_SCHEMA } from "./moduleSchema";

/**
 * Reads everything planning needs in one read-only statement. Each list is one scan of one catalog, without
 * per-table subqueries; lists are joined here. Values that repeat for every table travel as compact arrays.
 */
export async function readCatalog(session: Reader): Promise<Catalog> {
  const [row] = await session.read<{ catalog: CatalogRow }>(catalogStatement(session.serverVersion));
  if (row === undefined) throw new Error("the catalog query returned no row");
  return toCatalog(row.catalog);
}

/**
 * SQL for the beginning of a text that others write. A role could otherwise slow every read down with 50 MB of comment.
 * Marks of this module are far shorter; what an adopted publication was before can be longer, and is read as a whole.
 */
function cut(text: string): string {
  return `pg_catalog.left(${text}, 65536)`;
}

/** A table as it travels; flags are letters so that one table costs few bytes. */
type TableRow = readonly [
  oid: number,
  schema: number,
  name: string,
  owner: number,
  /**
   * `relpersistence`, `relreplident`, then any of: `p`artitioned, primary `k`ey, `e`xtension member, row `s`ecurity.
   */
  flags: string,
];

interface CatalogRow extends Pick<
  Catalog,
  | "server"
  | "roles"
  | "otherRelations"
  | "slots"
  | "eventTriggers"
  | "bemiProcedures"
  | "schemas"
  | "inModuleSchema"
> {
  readonly tables: readonly TableRow[];
  readonly owners: readonly { oid: number; name: string; mayAct: boolean }[];
  readonly parents: readonly ParentRow[];
  /** Table, and the index of its identity. */
  readonly identityIndexes: readonly (readonly [table: number, index: IndexFacts])[];
  /** Table, whether it has stored, whether it has virtual generated columns. */
  readonly generated: readonly (readonly [table: number, stored: boolean, virtual: boolean])[];
  readonly publications: readonly (Omit<PublicationFacts, "generatedColumns"> & {
    readonly generatedColumns: "n" | "s" | null;
  })[];
  readonly members: readonly (readonly [
    publication: number,
    table: number,
    columnList: boolean,
    rowFilter: boolean,
  ])[];
}

function toCatalog(row: CatalogRow): Catalog {
  const schemas = new Map(row.schemas.map((schema) => [schema.oid, schema.name]));
  const owners = new Map(row.owners.map((owner) => [owner.oid, owner]));
  const family = families(row.parents);
  const identityIndexes = new Map(row.identityIndexes);
  const generated = new Map(row.generated.map(([table, stored, virtual]) => [table, { stored, virtual }]));
  const publicationNames = new Map(row.publications.map(({ oid, name }) => [oid, name]));
  const listedIn = new Map<number, ListedIn[]>();
  for (const [publication, table, columnList, rowFilter] of row.members) {
    const entry = { publication: publicationNames.get(publication) ?? "", columnList, rowFilter };
    const list = listedIn.get(table);
    if (list === undefined) listedIn.set(table, [entry]);
    else list.push(entry);
  }
  const tables = row.tables.map(([oid, schema, name, ownerOid, flags]): TableFacts => {
    const owner = owners.get(ownerOid);
    return {
      oid,
      schema: schemas.get(schema) ?? "",
      name,
      owner: owner?.name ?? "",
      mayAlter: owner?.mayAct ?? false,
      partitioned: flags.includes("p", 2),
      ...family(oid),
      persistence: flags.startsWith("u") ? "unlogged" : flags.startsWith("t") ? "temporary" : "permanent",
      identity: toIdentity(flags.charAt(1)),
      identityIndex: identityIndexes.get(oid) ?? null,
      hasPrimaryKey: flags.includes("k", 2),
      extensionMember: flags.includes("e", 2),
      storedGenerated: generated.get(oid)?.stored ?? false,
      virtualGenerated: generated.get(oid)?.virtual ?? false,
      rowSecurity: flags.includes("s", 2),
      listedIn: listedIn.get(oid) ?? [],
    };
  });
  const publications = row.publications.map((publication): PublicationFacts => {
    const { generatedColumns } = publication;
    return {
      ...publication,
      generatedColumns: generatedColumns === null ? null : generatedColumns === "s" ? "stored" : "none",
    };
  });
  const { server, roles, otherRelations, slots, eventTriggers, bemiProcedures } = row;
  return {
    server,
    roles,
    tables,
    otherRelations,
    publications,
    slots,
    eventTriggers,
    bemiProcedures,
    schemas: row.schemas,
    inModuleSchema: row.inModuleSchema,
  };
}

const OTHER_KINDS: Record<OtherRelation["kind"], string> = {
  view: "v",
  "materialized view": "m",
  "foreign table": "f",
};

function catalogStatement(serverVersion: number): string {
  // PostgreSQL 14 has neither schemas in publications nor column lists nor row filters.
  const before15 = !capabilities(serverVersion).partialPublications;
  const publicationSchemas = before15
    ? "'[]'::json"
    : `(SELECT coalesce(json_agg(n.nspname ORDER BY n.nspname COLLATE "C"), '[]')
          FROM pg_catalog.pg_publication_namespace pn JOIN pg_catalog.pg_namespace n ON n.oid = pn.pnnspid
         WHERE pn.pnpubid = p.oid)`;
  const [columnList, rowFilter] = before15
    ? ["false", "false"]
    : ["r.prattrs IS NOT NULL", "r.prqual IS NOT NULL"];
  // 10 is the oid of the bootstrap superuser. CREATE ROLE gives ADMIN to its caller in the name of that role, and nobody
  // but a superuser can.
  const makers = capabilities(serverVersion).delegatedRoles
    ? `(SELECT coalesce(json_agg(DISTINCT g.rolname), '[]')
                          FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.member
                         WHERE m.roleid = r.oid AND m.admin_option AND m.grantor = 10)`
    : "'[]'::json";
  const otherKinds = Object.values(OTHER_KINDS)
    .map((letter) => `'${letter}'`)
    .join(", ");
  const otherKind = Object.entries(OTHER_KINDS)
    .map(([kind, letter]) => `WHEN '${letter}' THEN '${kind}'`)
    .join(" ");
  return `
WITH sch AS MATERIALIZED (
  SELECT n.oid, n.nspname, n.nspowner,
         CASE WHEN n.nspname = ${quoteLiteral(MODULE_SCHEMA)} AND pg_catalog.pg_get_userbyid(n.nspowner) = current_user
              THEN pg_catalog.obj_description(n.oid, 'pg_namespace')
              ELSE ${cut("pg_catalog.obj_description(n.oid, 'pg_namespace')")} END AS comment
    FROM pg_catalog.pg_namespace n
   WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'),
rel AS MATERIALIZED (
  SELECT c.oid, c.relnamespace, c.relname, c.relowner, c.relkind, c.relpersistence, c.relreplident,
         c.relrowsecurity
    FROM pg_catalog.pg_class c JOIN sch ON sch.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', ${otherKinds})),
tab AS MATERIALIZED (SELECT * FROM rel WHERE relkind IN ('r', 'p')),
key AS MATERIALIZED (
  SELECT i.indrelid FROM pg_catalog.pg_index i
   WHERE i.indisprimary AND i.indisvalid AND i.indimmediate),
ext AS MATERIALIZED (
  SELECT d.objid FROM pg_catalog.pg_depend d
   WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
     AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass),
own AS MATERIALIZED (SELECT DISTINCT relowner FROM tab),
own_settings AS MATERIALIZED (
  SELECT c.setting, CASE WHEN s.setrole <> 0 THEN current_user END AS role,
         CASE WHEN s.setdatabase <> 0 THEN pg_catalog.current_database() END AS database
    FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c (setting)
   WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
     AND s.setrole IN (0, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user))),
gen AS MATERIALIZED (
  -- From the expressions, which generated columns have like those with a default: far fewer than there are columns.
  SELECT a.attrelid, bool_or(a.attgenerated = 's') AS stored, bool_or(a.attgenerated = 'v') AS virtual
    FROM pg_catalog.pg_attrdef x JOIN pg_catalog.pg_attribute a ON a.attrelid = x.adrelid AND a.attnum = x.adnum
   WHERE a.attgenerated <> '' AND NOT a.attisdropped
   GROUP BY a.attrelid)
SELECT json_build_object(
  'server', (
    SELECT json_build_object(
             'version', pg_catalog.current_setting('server_version_num')::int4,
             'walLevel', pg_catalog.current_setting('wal_level'),
             'inRecovery', pg_catalog.pg_is_in_recovery(),
             'maxSlots', pg_catalog.current_setting('max_replication_slots')::int4,
             'maxSenders', pg_catalog.current_setting('max_wal_senders')::int4,
             'senders', (SELECT count(*) FROM pg_catalog.pg_stat_replication),
             'databaseOid', d.oid::int8,
             'mayCreateInDatabase', pg_catalog.has_database_privilege(d.oid, 'CREATE'),
             'currentRole', r.rolname,
             'currentRoleIsSuperuser', r.rolsuper,
             'currentRoleMayReplicate', r.rolreplication,
             'currentRoleMayCreateRoles', r.rolcreaterole,
             'eventTriggersOff', (
               SELECT coalesce(json_agg(json_build_object(
                        'name', pg_catalog.split_part(o.setting, '=', 1), 'role', o.role, 'database', o.database)), '[]')
                 FROM own_settings o
                WHERE o.setting ~* '^(neon[.])?event_triggers=(0|of|off|f|fa|fal|fals|false|n|no)$'))
      FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
     WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()),
  'roles', (
    SELECT coalesce(json_agg(json_build_object(
             'oid', r.oid::int8, 'name', r.rolname, 'canLogin', r.rolcanlogin, 'replication', r.rolreplication,
             'superuser', r.rolsuper, 'createRole', r.rolcreaterole, 'createDb', r.rolcreatedb,
             'bypassRls', r.rolbypassrls, 'inherit', r.rolinherit, 'connectionLimit', r.rolconnlimit,
             'validUntil', r.rolvaliduntil, 'settings', (SELECT coalesce(json_agg(pg_catalog.left(s.setting, 1000)), '[]')
                            FROM (SELECT unnest(r.rolconfig) AS setting LIMIT 100) s),
             'comment', ${cut("pg_catalog.shobj_description(r.oid, 'pg_authid')")},
             'memberOf', (SELECT coalesce(json_agg(DISTINCT g.rolname), '[]')
                            FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
                           WHERE m.member = r.oid),
             'makers', ${makers},
             'mayConnect', pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CONNECT'))), '[]')
      FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_'),
  'schemas', (
    SELECT coalesce(json_agg(json_build_object(
             'oid', sch.oid::int8, 'name', sch.nspname, 'owner', pg_catalog.pg_get_userbyid(sch.nspowner),
             'comment', sch.comment)), '[]')
      FROM sch),
  'inModuleSchema', (
    SELECT coalesce(json_agg(json_build_object(
             'kind', CASE WHEN p.oid IS NULL THEN i.type
                          WHEN p.prorettype = 'pg_catalog.event_trigger'::pg_catalog.regtype THEN 'function'
                          ELSE 'routine' END,
             'name', CASE WHEN p.prorettype = 'pg_catalog.event_trigger'::pg_catalog.regtype THEN p.proname
                          ELSE coalesce(c.relname, i.identity) END,
             'owner', pg_catalog.pg_get_userbyid(coalesce(p.proowner, c.relowner)))), '[]')
      FROM sch
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = sch.oid
      CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i
      LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid
      LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
     WHERE sch.nspname = ${quoteLiteral(MODULE_SCHEMA)}),
  'owners', (
    SELECT coalesce(json_agg(json_build_object(
             'oid', relowner::int8, 'name', pg_catalog.pg_get_userbyid(relowner),
             'mayAct', pg_catalog.pg_has_role(relowner, 'USAGE'))), '[]')
      FROM own),
  'tables', (
    SELECT coalesce(json_agg(json_build_array(
             tab.oid::int8, tab.relnamespace::int8, tab.relname, tab.relowner::int8,
             tab.relpersistence::text || tab.relreplident::text
               || CASE WHEN tab.relkind = 'p' THEN 'p' ELSE '' END
               || CASE WHEN key.indrelid IS NOT NULL THEN 'k' ELSE '' END
               || CASE WHEN ext.objid IS NOT NULL THEN 'e' ELSE '' END
               || CASE WHEN tab.relrowsecurity THEN 's' ELSE '' END)), '[]')
      FROM tab LEFT JOIN key ON key.indrelid = tab.oid LEFT JOIN ext ON ext.objid = tab.oid),
  'parents', (
    SELECT coalesce(json_agg(json_build_array(i.inhrelid::int8, i.inhparent::int8, c.relispartition)), '[]')
      FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
     WHERE c.relkind IN ('r', 'p')),
  'identityIndexes', (
    SELECT coalesce(json_agg(json_build_array(i.indrelid::int8, ${INDEX_FACTS})), '[]')
      FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
     WHERE i.indisreplident AND i.indisvalid),
  'generated', (
    SELECT coalesce(json_agg(json_build_array(attrelid::int8, stored, virtual)), '[]') FROM gen),
  'otherRelations', (
    SELECT coalesce(json_agg(json_build_object(
             'schema', sch.nspname, 'name', rel.relname, 'kind', CASE rel.relkind ${otherKind} END)), '[]')
      FROM rel JOIN sch ON sch.oid = rel.relnamespace WHERE rel.relkind IN (${otherKinds})),
  'publications', (
    SELECT coalesce(json_agg(json_build_object(
             'oid', p.oid::int8, 'name', p.pubname, 'owner', pg_catalog.pg_get_userbyid(p.pubowner),
             'mayAlter', pg_catalog.pg_has_role(p.pubowner, 'USAGE'), 'allTables', p.puballtables,
             'schemas', ${publicationSchemas},
             'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete, 'truncate', p.pubtruncate,
             'viaRoot', p.pubviaroot, 'generatedColumns', pg_catalog.to_jsonb(p) ->> 'pubgencols',
             'comment', CASE WHEN pg_catalog.pg_get_userbyid(p.pubowner) = current_user THEN pg_catalog.obj_description(p.oid, 'pg_publication')
                        ELSE ${cut("pg_catalog.obj_description(p.oid, 'pg_publication')")} END)), '[]')
      FROM pg_catalog.pg_publication p),
  'members', (
    SELECT coalesce(json_agg(json_build_array(r.prpubid::int8, r.prrelid::int8, ${columnList}, ${rowFilter})), '[]')
      FROM pg_catalog.pg_publication_rel r),
  'slots', (
    SELECT coalesce(json_agg(json_build_object(
             'name', s.slot_name, 'plugin', s.plugin, 'database', s.database, 'temporary', s.temporary,
             'active', s.active,
             'activeRole', a.usename, 'walStatus', s.wal_status,
             'retainedBytes', CASE WHEN NOT pg_catalog.pg_is_in_recovery()
               THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::int8 END)), '[]')
      FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid),
  'eventTriggers', (
    SELECT coalesce(json_agg(json_build_object(
             'name', e.evtname,
             'enabled', e.evtenabled = 'A' OR e.evtenabled = 'O' AND NOT EXISTS (
                SELECT FROM own_settings o WHERE o.setting ~* '^session_replication_role=replica$'),
             'owner', pg_catalog.pg_get_userbyid(e.evtowner),
             'comment', ${cut("pg_catalog.obj_description(e.oid, 'pg_event_trigger')")})), '[]')
      FROM pg_catalog.pg_event_trigger e),
  'bemiProcedures', (
    SELECT coalesce(json_agg(pg_catalog.format('%I.%I', sch.nspname, p.proname) ORDER BY sch.nspname), '[]')
      FROM pg_catalog.pg_proc p JOIN sch ON sch.oid = p.pronamespace
     WHERE p.proname = '_bemi_set_replica_identity' AND p.prokind = 'p')
) AS catalog`;
}
