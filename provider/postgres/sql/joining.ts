import { capabilities } from "../../contract/capabilities";

/**
 * The key of an advisory lock. From PostgreSQL 15 on, ALTER PUBLICATION ... ADD TABLE locks the publication, and a DROP
 * waits for it. On 14 it does not, and the table could be left in a publication that no longer exists: such a table can
 * never be dropped, and without a key its UPDATEs and DELETEs fail. So on 14 whoever adds a table takes this lock
 * shared, and whoever drops a publication takes it exclusively.
 */
const JOINING = "hashtext('pulumi-neon-bemi publication')";

/** PL/pgSQL to run before a table is added to a publication. `oid` is an expression for the publication's oid. */
export function joinSql(serverVersion: number, oid: string): string {
  return capabilities(serverVersion).partialPublications
    ? ""
    : `PERFORM pg_advisory_xact_lock_shared(${JOINING}, (${oid})::int4);`;
}

/** Statements to run before a publication is dropped, in the same transaction. */
export function leaveSql(serverVersion: number, oid: number): string[] {
  return capabilities(serverVersion).partialPublications
    ? []
    : [`SELECT pg_advisory_xact_lock(${JOINING}, ${oid}::oid::int4)`];
}
