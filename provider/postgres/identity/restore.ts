import type { Catalog } from "../../contract/catalog";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { nameTable } from "../catalog/tableIndex";
import { ownNames } from "../ownership/ownNames";
import { handOver } from "./record";
import { changeIdentities, type IdentityChanges } from "./statement";

/**
 * Gives tables of the record back the identity noted there. Tables that another trail of this database tracks stay FULL
 * and go over to that trail's record.
 */
export async function restoreIdentities(
  session: Session,
  catalog: Catalog,
  publication: string,
  restore: readonly number[],
  onProgress?: (left: number) => void,
): Promise<IdentityChanges> {
  await handOver(session, catalog, publication, restore);
  const { schema } = ownNames(publication);
  return changeIdentities(session, { schema, full: [], restore }, onProgress);
}

/** Logs what was not done as asked, table by table. */
export function logChanges(changes: IdentityChanges, catalog: Catalog, run: Pick<Run, "log">): void {
  for (const { oid, reason } of changes.refused)
    run.log(`The replica identity of ${nameTable(catalog, oid)} stays as it is: ${reason}.`);
  for (const { oid, index } of changes.indexGone)
    run.log(
      `${nameTable(catalog, oid)} has the default replica identity now: the index ${index}, which it used, is gone.`,
    );
}
