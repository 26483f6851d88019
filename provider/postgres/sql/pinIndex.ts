/**
 * An expression for the text of statements to run right before ALTER TABLE ... REPLICA IDENTITY USING INDEX, in its
 * transaction. ALTER TABLE looks the index up by name, and evaluates its expressions and its predicate to refuse them.
 * They may call functions of the table's owner, who may rename an index while we wait for the table.
 *
 * So first the table is locked. Then the comment of the index is written again, which locks the index: it keeps its name
 * from here on. If it has an expression or a predicate, the statements fail with `undefined_object`.
 *
 * @param table expression for the table's qualified, quoted name
 * @param index expression for the index's qualified, quoted name
 * @param oid expression for the oid of the index
 */
export function pinIndexSql(table: string, index: string, oid: string): string {
  return `format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE; COMMENT ON INDEX %s IS %L; DO %L; ',
    ${table}, ${index}, obj_description(${oid}, 'pg_class'), format(
      'BEGIN
         IF EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = to_regclass(%L)
                       AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)) THEN RAISE undefined_object; END IF;
       END', ${index}))`;
}
