import { LOCK_POLICY } from "../sql/lockPolicy";

/** A setting of every session, whatever the database and its owner are set to. */
interface Pinned {
  readonly value: string;
  /** Before this major version of PostgreSQL there is no such setting. Default: all versions have it. */
  readonly since?: number;
}

/**
 * What statements and blocks of the module rely on. Each of these can be set for a database or a role by its owner, and
 * some tools tell people to. The time limits fit statements that do not wait; work that waits on purpose sets its own.
 */
const PINNED: Readonly<Record<string, Pinned>> = {
  search_path: { value: "pg_catalog, pg_temp" },
  // With `ALTER ROLE ... SET role` the owner would act as somebody else.
  role: { value: "none" },
  statement_timeout: { value: "60s" },
  lock_timeout: { value: LOCK_POLICY.session },
  idle_in_transaction_session_timeout: { value: "60s" },
  // These two would end a session between two resources, or a statement that waits on purpose.
  idle_session_timeout: { value: "0" },
  transaction_timeout: { value: "0", since: 17 },
  default_transaction_read_only: { value: "off" },
  // A change of the record compares after it has waited for a lock, so it must see what was committed meanwhile.
  default_transaction_isolation: { value: "read committed" },
  client_min_messages: { value: "warning" },
  jit: { value: "off" },
  // How names and definitions are written, and how texts become values: they are compared.
  standard_conforming_strings: { value: "on" },
  quote_all_identifiers: { value: "off" },
  array_nulls: { value: "on" },
  transform_null_equals: { value: "off" },
  datestyle: { value: "ISO" },
  intervalstyle: { value: "postgres" },
  bytea_output: { value: "hex" },
  // The owner would become a member of each role that it makes.
  createrole_self_grant: { value: "", since: 16 },
  // Whether a block runs at all.
  "plpgsql.extra_errors": { value: "" },
  "plpgsql.extra_warnings": { value: "" },
  // Otherwise pgroll, where it is installed, takes what this session creates for migrations of the application.
  "pgroll.no_inferred_migrations": { value: "TRUE" },
};

/**
 * The first statement of every session. The connection check ends a statement whose client was killed; PostgreSQL
 * supports it on few platforms besides Linux. Everything is qualified, the operators too: until here, the search_path is
 * the one of the database.
 */
export const SETTINGS_SQL = `
  SELECT ${Object.entries(PINNED).map(pinSql).join(",\n         ")},
         CASE WHEN pg_catalog.version() OPERATOR(pg_catalog.~~) '%linux%'
              THEN pg_catalog.set_config('client_connection_check_interval', '2s', false) END,
         pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version,
         d.oid::pg_catalog.int8::pg_catalog.text AS oid,
         pg_catalog.pg_get_userbyid(d.datdba)::pg_catalog.text AS owner
    FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`;

function pinSql([name, { value, since }]: readonly [string, Pinned]): string {
  const pin = `pg_catalog.set_config('${name}', '${value}', false)`;
  return since === undefined
    ? pin
    : `CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) ${since * 10_000} THEN ${pin} END`;
}

/** The answer to {@link SETTINGS_SQL}. */
export interface SessionFacts {
  readonly version: number;
  /** The database's oid, in digits. */
  readonly oid: string;
  /** The database's owner. */
  readonly owner: string;
}
