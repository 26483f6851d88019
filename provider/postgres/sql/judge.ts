/**
 * PL/pgSQL that has the server judge a table. Where the table's publications do not go together with its replica
 * identity, it raises the error that an UPDATE or DELETE of the app would get. Otherwise it raises nothing: an EXPLAIN
 * that fails for another reason says nothing about the identity. EXPLAIN runs the server's check and changes no row.
 *
 * @param table expression for the qualified, quoted name
 * @param oid expression for the same table's oid
 */
export function judgeSql(table: string, oid: string): string {
  return `BEGIN
              EXECUTE 'EXPLAIN DELETE FROM ONLY ' || ${table};
              EXECUTE (SELECT format('EXPLAIN UPDATE ONLY %s SET %I = DEFAULT', ${table}, a.attname)
                         FROM pg_attribute a
                        WHERE a.attrelid = ${oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LIMIT 1);
            EXCEPTION
              WHEN object_not_in_prerequisite_state OR invalid_column_reference THEN RAISE;
              WHEN others THEN NULL;
            END;`;
}
