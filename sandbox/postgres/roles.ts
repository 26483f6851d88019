import type { PostgresVersion } from "../compute";

/**
 * SQL that makes the group role of Neon's own roles, with the rights that Neon gives it, as far as the PostgreSQL
 * version has them. To be run in the database `template1`, so that every later database gets the rights on its objects.
 */
export function neonSuperuser(version: PostgresVersion): string {
  const statements = [
    "CREATE ROLE neon_superuser CREATEDB CREATEROLE NOLOGIN REPLICATION BYPASSRLS",
    "GRANT pg_read_all_data, pg_write_all_data TO neon_superuser",
    "GRANT pg_monitor, pg_signal_backend TO neon_superuser WITH ADMIN OPTION",
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_replication_origin_status() TO neon_superuser",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO neon_superuser WITH GRANT OPTION",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO neon_superuser WITH GRANT OPTION",
  ];
  // From PostgreSQL 15 on this is the default. On Neon the owner is the owner role of the database itself.
  if (version < 15) statements.push("ALTER SCHEMA public OWNER TO pg_database_owner");
  if (version >= 16) {
    statements.push(
      "GRANT pg_create_subscription TO neon_superuser",
      "GRANT EXECUTE ON FUNCTION pg_catalog.pg_export_snapshot() TO neon_superuser",
      "GRANT EXECUTE ON FUNCTION pg_catalog.pg_log_standby_snapshot() TO neon_superuser",
    );
  }
  if (version >= 17) statements.push("GRANT pg_maintain TO neon_superuser");
  if (version >= 18) statements.push("GRANT pg_signal_autovacuum_worker TO neon_superuser");
  return statements.join(";\n");
}
