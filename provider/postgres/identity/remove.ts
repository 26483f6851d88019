import { UserError } from "../../contract/errors";
import type { ReplicaIdentityInputs, ReplicaIdentityOutputs } from "../../contract/kinds/replicaIdentity";
import type { Run } from "../../contract/kind";
import { execute } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { nameTables } from "../catalog/tableIndex";
import { madeByResource, databaseObjectMark } from "../ownership/mark";
import { ownNames } from "../ownership/ownNames";
import { ownPublication } from "../ownership/ownObjects";
import { removeTracking } from "../tracking/install";
import { planRemoval, type RemovalStep } from "./plan";
import { dropRecord, dropSchema, hasRecord, readRecord } from "./record";
import { logChanges, restoreIdentities } from "./restore";

/** Plans what a destroy does about replica identities, and does it: all tables in the record get back what they had. */
export async function remove(
  state: ReplicaIdentityInputs & Partial<ReplicaIdentityOutputs>,
  run: Run,
  session: Session,
): Promise<void> {
  const { publication } = state;
  const catalog = await session.catalog();
  const { schema } = ownNames(publication);
  const existing = catalog.schemas.find(({ name }) => name === schema);
  if (existing === undefined || !madeByResource(existing.comment, databaseObjectMark(session, state))) {
    run.log(
      `Replica identities stay as they are: the record of what they were, schema ${schema}, is ${existing === undefined ? "gone" : "not ours"}.`,
    );
    return;
  }
  const recorded = await readRecord(session, catalog, publication);

  const restore = async (tables: readonly number[]): Promise<void> => {
    const changes = await restoreIdentities(session, catalog, publication, tables);
    logChanges(changes, catalog, run);
    if (changes.locked === 0) return;
    const left = await readRecord(session, catalog, publication);
    throw new UserError(
      `The replica identity of ${changes.locked} tables could not be put back, as other transactions kept them locked: ${nameTables(catalog, left)}. Run destroy again; what was done stays done.`,
    );
  };

  /** Drops the record once every table in it has its identity back; `false` when one has to keep FULL. */
  const emptyRecord = async (): Promise<boolean> => {
    let done: readonly number[] = recorded;
    for (;;) {
      // An up that was killed may have left a publication that no state knows of. What it publishes keeps its identity,
      // and the record stays for the destroy that follows the next up.
      const left = ownPublication(catalog, publication)
        ? await readRecord(session, catalog, publication)
        : [];
      if (left.length > 0) {
        run.log(
          `The replica identity of ${left.length} tables stays FULL: an interrupted up left the publication ${publication}, which publishes them. Run up, then destroy again.`,
        );
        return false;
      }
      if (await dropRecord(session, publication, done)) return true;
      // A migration that was open until now has put a table of its own into the record: restore that one as well.
      done = await readRecord(session, catalog, publication);
      await restore(done);
      run.checkpoint();
    }
  };

  await execute<RemovalStep>(
    planRemoval(publication, recorded),
    {
      "drop event triggers": () => removeTracking(session, catalog, publication),
      "restore replica identity": ({ tables }) => restore(tables),
      "drop schema": async () => {
        if (!hasRecord(catalog, publication) || (await emptyRecord())) await dropSchema(session, schema, run);
      },
    },
    run,
  );
}
