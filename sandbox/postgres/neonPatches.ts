import type { PostgresVersion } from "../compute";

/**
 * SQL that gives the members of `neon_superuser` what Neon's patches of PostgreSQL give them: they may create event
 * triggers, and publications of all tables or of a schema. To be run as the superuser in `template1`, and so in every
 * later database.
 *
 * Vanilla PostgreSQL allows both to superusers only. So event triggers make the acting role a superuser, for as short as
 * they can:
 *
 * - While a CREATE PUBLICATION runs. Afterwards its tables are checked as if the role had been none.
 * - For a CREATE EVENT TRIGGER. No event tells when one begins. So the front door calls `neon_patches_raise` before, and
 *   for statements that it does not see, in DO blocks and functions, a CREATE FUNCTION ... RETURNS event_trigger does so.
 *   Both last until the end of the transaction, but not while another DDL command runs.
 *
 * The role is a superuser in the eyes of its own transaction alone: a deferred trigger takes the attribute away before the
 * commit. The objects are members of the extension plpgsql, so that pg_dump leaves them out, and in a schema of the
 * system, so that nobody takes them for their own.
 */
export function neonPatches(version: PostgresVersion): string {
  return [OBJECTS, skippedTriggers(version >= 17), MEMBERS].join("");
}

/**
 * The role whose rights count: after SET ROLE that one. `current_user` would be the owner of the event trigger's function.
 */
const ACTOR = `CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END`;
const HEADER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp";

const OBJECTS = `
-- The roles that are superusers in their own transaction. Nobody ever sees a row of another transaction.
CREATE UNLOGGED TABLE information_schema.neon_patches_raised (role name NOT NULL);

CREATE FUNCTION information_schema.neon_patches_commit() RETURNS trigger ${HEADER} AS $function$
BEGIN
  EXECUTE format('ALTER ROLE %I NOSUPERUSER', NEW.role);
  DELETE FROM information_schema.neon_patches_raised;
  IF EXISTS (SELECT FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
               JOIN pg_roles o ON o.oid = e.evtowner JOIN pg_roles f ON f.oid = p.proowner
              WHERE f.rolsuper AND NOT o.rolsuper) THEN
    RAISE EXCEPTION 'Permission denied to execute a function owned by a superuser role'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $function$;
CREATE CONSTRAINT TRIGGER neon_patches_commit AFTER INSERT ON information_schema.neon_patches_raised
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION information_schema.neon_patches_commit();
ALTER TABLE information_schema.neon_patches_raised ENABLE ALWAYS TRIGGER neon_patches_commit;

CREATE FUNCTION information_schema.neon_patches_published() RETURNS event_trigger ${HEADER} AS $function$
DECLARE
  actor CONSTANT name := ${ACTOR};
  foreign_table name;
BEGIN
  IF current_setting('neon_patches.publishing', true) IS DISTINCT FROM 'yes' THEN RETURN; END IF;
  PERFORM set_config('neon_patches.publishing', '', true);
  EXECUTE format('ALTER ROLE %I NOSUPERUSER', actor);
  SELECT c.relname INTO foreign_table
    FROM pg_event_trigger_ddl_commands() d JOIN pg_publication_rel r ON r.prpubid = d.objid
    JOIN pg_class c ON c.oid = r.prrelid
   WHERE d.classid = 'pg_publication'::regclass AND NOT pg_has_role(actor, c.relowner, 'USAGE') LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'must be owner of table %', foreign_table USING ERRCODE = 'insufficient_privilege';
  END IF;
END $function$;

CREATE FUNCTION information_schema.neon_patches_raise() RETURNS void ${HEADER} AS $function$
DECLARE
  actor CONSTANT name := ${ACTOR};
BEGIN
  IF EXISTS (SELECT FROM information_schema.neon_patches_raised)
     OR (SELECT rolsuper FROM pg_roles WHERE rolname = actor) OR NOT pg_has_role(actor, 'neon_superuser', 'USAGE') THEN
    RETURN;
  END IF;
  INSERT INTO information_schema.neon_patches_raised VALUES (actor);
  EXECUTE format('ALTER ROLE %I SUPERUSER', actor);
END $function$;

CREATE FUNCTION information_schema.neon_patches_end() RETURNS event_trigger ${HEADER} AS $function$
BEGIN
  IF EXISTS (SELECT FROM information_schema.neon_patches_raised) THEN
    EXECUTE format('ALTER ROLE %I SUPERUSER', ${ACTOR});
  ELSIF tg_tag = 'CREATE FUNCTION' AND EXISTS (
      SELECT FROM pg_event_trigger_ddl_commands() d JOIN pg_proc p ON p.oid = d.objid
       WHERE d.classid = 'pg_proc'::regclass AND p.prorettype = 'event_trigger'::regtype) THEN
    PERFORM information_schema.neon_patches_raise();
  END IF;
END $function$;
`;

/**
 * The function that runs before every DDL command, and what it can do to skip the event triggers of users. PostgreSQL 17
 * has the setting `event_triggers` for that. It cannot skip those on `ddl_command_start` of the same command, because
 * PostgreSQL has looked them up already.
 */
function skippedTriggers(possible: boolean): string {
  // After CREATE PUBLICATION, an event trigger has to take the rights back.
  const skip = `
  IF tg_tag <> 'CREATE PUBLICATION' AND lower(current_setting('neon.event_triggers', true)) IN ('off', 'false', 'no', '0') THEN
    PERFORM set_config('event_triggers', 'off', true);
    RAISE WARNING 'Skipping Event Trigger: neon.event_triggers is false';
  END IF;`;
  const settings = `
GRANT SET ON PARAMETER neon.event_triggers TO neon_superuser;
-- On Neon, event triggers do not fire in the session of a superuser.
ALTER ROLE cloud_admin SET event_triggers = off;
`;
  return `
CREATE FUNCTION information_schema.neon_patches_start() RETURNS event_trigger ${HEADER} AS $function$
DECLARE
  actor CONSTANT name := ${ACTOR};
  context text;
BEGIN${possible ? skip : ""}
  IF EXISTS (SELECT FROM information_schema.neon_patches_raised) THEN
    EXECUTE format('ALTER ROLE %I NOSUPERUSER', actor);
  END IF;
  IF tg_tag <> 'CREATE PUBLICATION' THEN RETURN; END IF;
  -- Other publications need no superuser. To change the role's row for them would make concurrent commands wait, which
  -- Neon's do not. The context has the statements inside of DO blocks and functions.
  GET DIAGNOSTICS context = PG_CONTEXT;
  IF concat_ws(' ', current_query(), context) ~* '\\yALL\\s+TABLES\\y|\\yTABLES\\s+IN\\s+SCHEMA\\y'
     AND pg_has_role(actor, 'neon_superuser', 'USAGE') AND has_database_privilege(actor, current_database(), 'CREATE')
     AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = actor) THEN
    PERFORM set_config('neon_patches.publishing', 'yes', true);
    EXECUTE format('ALTER ROLE %I SUPERUSER', actor);
  END IF;
END $function$;
${possible ? settings : ""}`;
}

/** Makes the acting role a superuser until the end of the transaction, if it is a member of `neon_superuser`. */
export const BEFORE_EVENT_TRIGGER = `
  DO $$ BEGIN
    -- A database that was made from template0 does not have the function.
    IF pg_catalog.to_regprocedure('information_schema.neon_patches_raise()') IS NOT NULL THEN
      PERFORM information_schema.neon_patches_raise();
    END IF;
  END $$`;

/** Event triggers fire in the order of their names: the first of these before all others, the last one after them. */
const EVENT_TRIGGERS = [
  ["00_neon_patches_start", "ddl_command_start", "", "start"],
  ["00_neon_patches_published", "ddl_command_end", "WHEN TAG IN ('CREATE PUBLICATION')", "published"],
  ["zz_neon_patches_end", "ddl_command_end", "", "end"],
] as const;

const MEMBERS = [
  ...EVENT_TRIGGERS.flatMap(([name, event, tags, procedure]) => [
    `CREATE EVENT TRIGGER "${name}" ON ${event} ${tags} EXECUTE FUNCTION information_schema.neon_patches_${procedure}()`,
    `ALTER EVENT TRIGGER "${name}" ENABLE ALWAYS`,
    `ALTER EXTENSION plpgsql ADD EVENT TRIGGER "${name}"`,
  ]),
  ...["start", "published", "end", "commit", "raise"].map(
    (name) => `ALTER EXTENSION plpgsql ADD FUNCTION information_schema.neon_patches_${name}()`,
  ),
  "ALTER EXTENSION plpgsql ADD TABLE information_schema.neon_patches_raised",
].join(";\n");
