import type { Catalog } from "../../contract/catalog";
import type { Run } from "../../contract/kind";
import type { Session } from "../../contract/session";
import { reportLocked } from "../catalog/lockedTables";
import { nameTable } from "../catalog/tableIndex";
import { changeRecord } from "../record/change";
import { settled } from "./claim";
import type { IdentityChanges } from "./statement";

/**
 * Takes out of the record what is settled, after tables have been given back their identity: from then on the trail's
 * claim is no longer about them.
 */
export async function settleRecord(session: Session, publication: string): Promise<void> {
  await changeRecord(session, (record, catalog) => settled(record, catalog, publication));
}

/** Logs which tables were not set to FULL because others kept them locked, and who. */
export async function logLocked(
  session: Session,
  changes: IdentityChanges,
  catalog: Catalog,
  run: Pick<Run, "log">,
): Promise<void> {
  if (changes.locked === 0) return;
  const { names, held } = await reportLocked(session, catalog, changes, { of: "replica identity" });
  run.log(`${names}: locked by other transactions, so not FULL yet.${held} The next up sets what is left.`);
}

/**
 * Logs which tables did not get back their identity because others kept them locked, and who.
 *
 * @param when when they get it back, e.g. `with the next up`
 */
export async function logLockedRestore(
  session: Session,
  changes: IdentityChanges,
  catalog: Catalog,
  run: Pick<Run, "log">,
  when: string,
): Promise<void> {
  if (changes.locked === 0) return;
  const { names, held } = await reportLocked(session, catalog, changes, { of: "replica identity" });
  run.log(
    `${names}: locked by other transactions.${held} What replica identity they had before, they get back ${when}.`,
  );
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
