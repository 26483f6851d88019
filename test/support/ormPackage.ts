/**
 * SQL that stands in for the migration of Bemi's packages for ORMs, written from a description of what theirs does. Row
 * triggers on every table of `public` emit the context that a comment in the statement has, as a logical message with the
 * prefix `_bemi`. An event trigger puts them on new tables. Like theirs, it names its procedure without a schema.
 */
export const ORM_PACKAGE = `
  CREATE FUNCTION public._bemi_emit_context() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE context text := substring(current_query() FROM '/[*]Bemi (.*) Bemi[*]/');
  BEGIN
    IF context IS NOT NULL THEN PERFORM pg_logical_emit_message(true, '_bemi', context); END IF;
    RETURN NULL;
  END $$;
  CREATE PROCEDURE public._bemi_create_triggers() LANGUAGE plpgsql AS $$
  DECLARE name text;
  BEGIN
    FOR name IN SELECT relname FROM pg_class c
                 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT EXISTS (
                   SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = '_bemi_emit_context') LOOP
      EXECUTE format('CREATE TRIGGER _bemi_emit_context AFTER INSERT OR UPDATE OR DELETE ON %I
                      FOR EACH ROW EXECUTE FUNCTION _bemi_emit_context()', name);
    END LOOP;
  END $$;
  CALL public._bemi_create_triggers();
  CREATE FUNCTION public._bemi_on_create_table() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN CALL _bemi_create_triggers(); END $$;
  CREATE EVENT TRIGGER _bemi_on_create_table ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION public._bemi_on_create_table();`;
