import { capabilities } from "../../contract/capabilities";

/**
 * PL/pgSQL to run before a table is added to a publication, in the same transaction. From PostgreSQL 15 on, ALTER
 * PUBLICATION ... ADD TABLE locks the publication, and a DROP waits for it. On 14 it does not, and the table could be
 * left in a publication that no longer exists: such a table can never be dropped, and without a key its UPDATEs and
 * DELETEs fail. So on 14 the comment of the publication is written again. This locks the publication until the end of
 * the transaction, as ADD TABLE does from 15 on.
 *
 * Only the owner of a publication can take that lock. An advisory lock would not do, because any role could hold it and
 * keep the publication from being dropped.
 *
 * @param oid expression for the publication's oid
 */
export function joinSql(serverVersion: number, oid: string): string {
  return capabilities(serverVersion).partialPublications
    ? ""
    : `EXECUTE coalesce((SELECT format('COMMENT ON PUBLICATION %I IS %L', p.pubname, obj_description(p.oid, 'pg_publication'))
                           FROM pg_publication p WHERE p.oid = (${oid})), 'SELECT');`;
}
