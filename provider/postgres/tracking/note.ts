import { quoteLiteral } from "../sql/quote";
import { LINES_SQL, LOCK_RECORD_SQL, writeLinesSql } from "../record/lines";

/**
 * PL/pgSQL that writes an identity into the record as the one that the table gets back: what its owner has set is not
 * lost when it becomes FULL. For DEFAULT, the entry of the table goes. A FULL table that had left the selection and comes
 * back is FULL because of this module, so its entry becomes what it was before. Nothing is written where the record says
 * so already.
 *
 * @param oid expression for the oid of the table
 * @param letter expression for its `pg_class.relreplident`
 */
export function noteSql(oid: string, letter: string): string {
  return changeEntrySql(oid, {
    variables: `back boolean := ${letter} = 'f' AND entry ? 'left';
        noted text := CASE ${letter} WHEN 'n' THEN 'nothing' WHEN 'i' THEN 'index' WHEN 'f' THEN 'full' END;`,
    when: `back OR noted IS NOT NULL AND (entry ->> 'identity' IS DISTINCT FROM noted OR noted = 'index')
           OR noted IS NULL AND entry IS NOT NULL`,
    becomes: `CASE WHEN back THEN CASE WHEN entry ->> 'identity' <> 'default' THEN entry - 'left' END
                        WHEN noted IS NOT NULL THEN (${entrySql(oid)}) END`,
  });
}

/**
 * PL/pgSQL that writes into the record that a FULL table has left the selection, and so the publication: its name no
 * longer says that it gets back its identity.
 *
 * @param publication the publication of the trail
 */
export function leftSql(oid: string, publication: string): string {
  return changeEntrySql(oid, {
    variables: "noted text := 'default';",
    when: "entry ->> 'identity' IS DISTINCT FROM 'full'",
    becomes: `coalesce(entry, (${entrySql(oid)})) || jsonb_build_object('left', ${quoteLiteral(publication)}::text)`,
  });
}

/**
 * PL/pgSQL that changes the entry of a table in the record.
 *
 * It runs in a transaction of the application, which then holds the record until it ends. So it waits for the record as
 * long as for any other lock; if that fails, the caller warns. A transaction that does not see what others commit after
 * it began could overwrite their changes, so there it fails at once.
 *
 * @param when whether there is something to change. It, and `becomes`, may use the variable `entry`: the entry now
 * @param becomes expression for the new entry; without an entry where it is NULL
 */
function changeEntrySql(
  oid: string,
  { variables, when, becomes }: { variables: string; when: string; becomes: string },
): string {
  return `DECLARE
        lines text[] := ${LINES_SQL};
        entry jsonb := (SELECT e FROM jsonb_array_elements(lines[2]::jsonb -> 'previous') e WHERE (e ->> 'oid')::int8 = (${oid})::int8);
        others jsonb;
        ${variables}
      BEGIN
        IF ${when} THEN
          IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'its previous replica identity is not recorded in a transaction that is %', current_setting('transaction_isolation');
          END IF;
          ${LOCK_RECORD_SQL};
          lines := ${LINES_SQL};
          others := (SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(lines[2]::jsonb -> 'previous') e
                      WHERE (e ->> 'oid')::int8 <> (${oid})::int8);
          entry := ${becomes};
          lines[2] := jsonb_set(lines[2]::jsonb, '{previous}', CASE WHEN entry IS NULL THEN others ELSE others || entry END)::text;
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
