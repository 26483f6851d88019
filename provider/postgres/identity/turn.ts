import { quoteLiteral } from "../sql/quote";
import {
  CREATE_LOCK_VIEW_SQL,
  LINES_SQL,
  LOCK_RECORD_SQL,
  LOCK_VIEW_SQL,
  writeLinesSql,
} from "../record/lines";
import { LOCK_POLICY } from "../sql/lockPolicy";

/*
 * Whose turn it is to change the identities of a trail: PL/pgSQL for a block with the variables `publication`, the name
 * of the trail's publication, and `lines`, a text[].
 */

/** SQLSTATE of a block that waited for its turn in vain. */
export const NO_TURN = "NB004";

/** Who works on a trail: process, and when it was started, because a process ID is used again. */
const ME = `jsonb_build_object('pid', pg_backend_pid(), 'since', (
    SELECT extract(epoch FROM a.backend_start)::text FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()))`;

/**
 * Waits until no other process works on the trail, and writes down that this one does. What PostgreSQL does not show of
 * a session of another role counts as if the session were at work.
 */
export const TAKE_TURN = `
  DECLARE
    holder jsonb;
    given_up_at timestamptz := clock_timestamp() + interval '${LOCK_POLICY.turn}';
  BEGIN
    -- A schema tool may have dropped it. Without it, no identity could be given back.
    IF to_regclass(${quoteLiteral(LOCK_VIEW_SQL)}) IS NULL THEN ${CREATE_LOCK_VIEW_SQL}; END IF;
    LOOP
      PERFORM set_config('lock_timeout', '${LOCK_POLICY.turn}', true);
      ${LOCK_RECORD_SQL};
      lines := ${LINES_SQL};
      holder := coalesce(nullif(lines[3], ''), '{}')::jsonb -> publication;
      EXIT WHEN NOT EXISTS (
        SELECT FROM pg_stat_activity a
         WHERE a.pid = (holder ->> 'pid')::int4 AND a.pid <> pg_backend_pid() AND coalesce(a.state, 'active') = 'active'
           AND coalesce(extract(epoch FROM a.backend_start)::text = holder ->> 'since', true));
      IF clock_timestamp() > given_up_at THEN
        RAISE EXCEPTION 'in process %', holder ->> 'pid' USING ERRCODE = '${NO_TURN}';
      END IF;
      COMMIT;
      PERFORM pg_sleep(0.1);
    END LOOP;
    lines[3] := (coalesce(nullif(lines[3], ''), '{}')::jsonb || jsonb_build_object(publication, ${ME}))::text;
    ${writeLinesSql("lines")};
    COMMIT;
  END;`;

/** A turn whose end cannot be written down ends all the same: its process no longer works. */
export const END_TURN = `BEGIN
    PERFORM set_config('lock_timeout', '${LOCK_POLICY.turn}', true);
    ${LOCK_RECORD_SQL};
    lines := ${LINES_SQL};
    lines[3] := nullif((coalesce(nullif(lines[3], ''), '{}')::jsonb - publication)::text, '{}');
    ${writeLinesSql("lines")};
  EXCEPTION WHEN lock_not_available OR undefined_table OR invalid_schema_name THEN NULL;
  END;`;
