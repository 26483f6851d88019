import { LINES_SQL, LOCK_RECORD_SQL, writeLinesSql } from "../record/lines";

/**
 * PL/pgSQL that writes an identity into the record as the one that the table gets back: what its owner has set is not
 * lost when it becomes FULL. For DEFAULT, the entry of the table goes. Nothing is written where the record says so
 * already.
 *
 * It runs in a transaction of the application, which then holds the record until it ends. So it waits for the record as
 * long as for any other lock; if that fails, the caller warns. A transaction that does not see what others commit after
 * it began could overwrite their changes, so there it fails at once.
 *
 * @param oid expression for the oid of the table
 * @param letter expression for its `pg_class.relreplident`
 */
export function noteSql(oid: string, letter: string): string {
  return `DECLARE
        lines text[] := ${LINES_SQL};
        entries jsonb := coalesce(lines[2]::jsonb -> 'previous', '[]');
        known text := (SELECT e ->> 'identity' FROM jsonb_array_elements(entries) e WHERE (e ->> 'oid')::int8 = (${oid})::int8);
        noted text := CASE ${letter} WHEN 'n' THEN 'nothing' WHEN 'i' THEN 'index' WHEN 'f' THEN 'full' END;
      BEGIN
        IF noted IS NOT NULL AND (known IS DISTINCT FROM noted OR noted = 'index') OR noted IS NULL AND known IS NOT NULL THEN
          IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'its previous replica identity is not recorded in a transaction that is %', current_setting('transaction_isolation');
          END IF;
          ${LOCK_RECORD_SQL};
          lines := ${LINES_SQL};
          entries := (SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(lines[2]::jsonb -> 'previous') e
                       WHERE (e ->> 'oid')::int8 <> (${oid})::int8);
          IF noted IS NOT NULL THEN
            entries := entries || (${entrySql(oid)});
          END IF;
          lines[2] := jsonb_set(lines[2]::jsonb, '{previous}', entries)::text;
          ${writeLinesSql("lines")};
        END IF;
      END;`;
}

function entrySql(oid: string): string {
  return `SELECT jsonb_strip_nulls(jsonb_build_object('oid', t.oid::int8, 'schema', s.nspname, 'name', t.relname, 'identity', noted,
              'index', CASE WHEN noted = 'index' THEN (
                SELECT jsonb_build_object('oid', x.oid::int8, 'name', x.relname, 'columns', (
                         SELECT jsonb_agg(a.attname ORDER BY k.place)
                           FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place)
                           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                          WHERE k.place <= i.indnkeyatts))
                  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                 WHERE i.indrelid = t.oid AND i.indisreplident) END))
              FROM pg_class t JOIN pg_namespace s ON s.oid = t.relnamespace WHERE t.oid = ${oid}`;
}
