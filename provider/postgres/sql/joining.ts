import { capabilities } from "../../contract/capabilities";

/**
 * From PostgreSQL 15 on, who adds a table locks the publication, and a DROP waits for it. Before, the table may end up
 * in a publication that is gone: it can never be dropped then, and without a key its UPDATEs and DELETEs fail. So there
 * who adds and who drops take this lock.
 */
const JOINING = "hashtext('pulumi-neon-bemi publication')";

/** PL/pgSQL to run before a table is added to a publication; `oid` is an expression for the publication's. */
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
