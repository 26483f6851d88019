import { readFileSync } from "node:fs";

/**
 * A role without any rights of the database's owner, and a schema of its own. The owner has its rights, so that its tables
 * can be published. The database's search_path begins with the schema.
 */
export const HOSTILE_ROLE = `
  CREATE ROLE hostile LOGIN; GRANT hostile TO neondb_owner;
  CREATE SCHEMA app AUTHORIZATION hostile; GRANT USAGE ON SCHEMA app TO PUBLIC;
  ALTER DATABASE neondb SET search_path = app, pg_catalog`;

/**
 * Lets event triggers fire in a superuser's connection. On Neon they never do, so a test that needs them there, or that
 * goes on as another role in such a connection, asks for them.
 */
export const WITH_EVENT_TRIGGERS = `
  DO $$ BEGIN
    IF pg_catalog.current_setting('event_triggers', true) IS NOT NULL THEN
      PERFORM pg_catalog.set_config('event_triggers', 'on', false);
    END IF;
  END $$;`;

/**
 * Tables of a role that lays traps wherever a table can name a function. The function claims to be IMMUTABLE, so that
 * planning a statement is enough to run it. It writes into the server's log, which a rollback does not undo. The views
 * and operators are what a statement without a pinned search_path would find.
 */
export const TRAPS = `
  SET SESSION AUTHORIZATION hostile; SET search_path = pg_catalog;
  CREATE FUNCTION app.trap(v anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN IF current_user <> 'hostile' THEN RAISE LOG 'the trap ran as %', current_user; END IF; RETURN v; END $$;
  CREATE FUNCTION app.trap_trigger() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM app.trap(1); RETURN new; END $$;
  CREATE DOMAIN app.trapped AS int DEFAULT app.trap(0) CHECK (app.trap(VALUE) IS NOT NULL);
  CREATE TABLE app.bait (
    note text DEFAULT app.trap('note'::text), id int PRIMARY KEY DEFAULT app.trap(1), of_domain app.trapped,
    CHECK (app.trap(id) IS NOT NULL));
  CREATE INDEX ON app.bait ((app.trap(1) + id)) WHERE app.trap(1) = 1;
  CREATE STATISTICS app.bait_statistics ON (app.trap(1) + id), note FROM app.bait;
  CREATE RULE on_update AS ON UPDATE TO app.bait WHERE app.trap(1) = 0 DO ALSO NOTHING;
  CREATE RULE on_delete AS ON DELETE TO app.bait WHERE app.trap(1) = 0 DO ALSO NOTHING;
  CREATE TRIGGER on_change BEFORE UPDATE OR DELETE ON app.bait EXECUTE FUNCTION app.trap_trigger();
  ALTER TABLE app.bait ENABLE ROW LEVEL SECURITY;
  CREATE POLICY trapped ON app.bait USING (app.trap(1) = 1) WITH CHECK (app.trap(1) = 1);
  CREATE TABLE app.generated (id int PRIMARY KEY, sum int GENERATED ALWAYS AS (app.trap(1) + id) STORED);
  CREATE TABLE app.parted (note text DEFAULT app.trap('part'::text), id int) PARTITION BY RANGE ((app.trap(1) + id));
  CREATE TABLE app.part PARTITION OF app.parted FOR VALUES FROM (app.trap(1)) TO (app.trap(9));
  CREATE TABLE app.indexed (code text NOT NULL);
  CREATE UNIQUE INDEX by_code ON app.indexed (code);
  ALTER TABLE app.indexed REPLICA IDENTITY USING INDEX by_code;
  CREATE VIEW app.pg_publication AS SELECT app.trap(1) AS oid;
  CREATE VIEW app.pg_class AS SELECT app.trap(1) AS oid;
  CREATE FUNCTION app.trap_compare(oid, oid) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT app.trap(true)';
  CREATE OPERATOR app.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = app.trap_compare);
  CREATE FUNCTION app.trap_like(text, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT app.trap(true)';
  CREATE OPERATOR app.~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = app.trap_like)`;

/** What the traps have written into a server's log: a line for each that ran as another role than its own. */
export function sprungIn(serverLog: string): string[] {
  return readFileSync(serverLog, "utf8").match(/the trap ran as .*/g) ?? [];
}
