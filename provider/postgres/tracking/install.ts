import { LOCK_POLICY } from "../sql/lockPolicy";
import { runTogether, waitForOlderWriters } from "../sql/block";
import type { Catalog } from "../../contract/catalog";
import { encodeMark, type Mark } from "../ownership/mark";
import type { Selection } from "../selection/selection";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { UserError } from "../../contract/errors";
import { LOCK_VIEW_SQL } from "../record/lines";
import { hasLockView } from "../record/moduleSchema";
import { trackFunction } from "./functions";
import { ownNames } from "../ownership/ownNames";
import { ownTriggers, refuseForeignTriggers } from "./state";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

/** The commands after which a table may have to be tracked, or tracked no longer. */
const TAGS = [
  "CREATE TABLE",
  "CREATE TABLE AS",
  "SELECT INTO",
  "CREATE SCHEMA",
  "ALTER TABLE",
  "ALTER SCHEMA",
];

/**
 * Installs the event trigger that tracks new tables from their first row, or brings it in line with the selection. Throws
 * a {@link UserError} where somebody else has made an event trigger of the same name.
 *
 * - The DDL of the app neither fails nor waits because of it. It looks at the tables of the command alone, never raises an
 *   error, locks no table more strongly than the command has, and waits for the publication once per transaction, for at
 *   most 100 ms. What it could not do, the next up does.
 * - Its function runs with our rights, so it leaves tables alone whose owner's rights we do not have. Nothing that runs
 *   with the rights of its caller is installed, so no code of ours gets the rights of a superuser who makes a table.
 *
 * @returns `false` when our role may not create event triggers: new tables then wait for the next up
 */
export async function installTracking(
  session: Session,
  catalog: Catalog,
  selection: Selection,
  publication: string,
  mark: Mark,
): Promise<boolean> {
  refuseForeignTriggers(catalog, publication);
  const statements = [
    ...trackFunction(catalog, selection, publication),
    ...eventTrigger(catalog, publication, mark),
  ];
  try {
    await runTogether(session, statements);
    return true;
  } catch (error) {
    if (hasCode(error, "42501")) return false;
    throw error;
  }
}

/**
 * Drops the event trigger of this trail, if the module made it, and its function. The function is dropped last, after a
 * wait: DDL that began before the trigger was dropped still calls it, and would fail without it.
 *
 * @param waits whether to wait for the transactions in which the trigger has done something. They may have made tables that
 *   nobody else sees yet
 * @throws UserError if `waits`, and such a transaction stays open
 */
export async function removeTracking(
  session: Session,
  catalog: Catalog,
  publication: string,
  { waits = false }: { readonly waits?: boolean } = {},
): Promise<void> {
  const triggers = ownTriggers(catalog, publication);
  if (triggers.length > 0) {
    await runTogether(
      session,
      triggers.map(({ name }) => `DROP EVENT TRIGGER IF EXISTS ${quoteIdentifier(name)}`),
    );
    await waitForOlderWriters(session, LOCK_POLICY.migrationPatience);
  }
  const lock = waits && hasLockView(catalog) ? [`LOCK TABLE ${LOCK_VIEW_SQL} IN ACCESS EXCLUSIVE MODE`] : [];
  try {
    await runTogether(session, [...lock, `DROP FUNCTION IF EXISTS ${call(publication)}`]);
  } catch (error) {
    if (!hasCode(error, "55P03")) throw error;
    // The error names who holds the lock.
    throw new UserError(
      `A transaction that is still open has made or altered a tracked table, so its replica identity could not be put back. ${error.message} When it has ended, run destroy again; what was done stays done.`,
    );
  }
}

function call(publication: string): string {
  return `${quoteIdentifier(MODULE_SCHEMA)}.${quoteIdentifier(ownNames(publication).trackFunction)}()`;
}

function eventTrigger(catalog: Catalog, publication: string, mark: Mark): string[] {
  const { trackTrigger } = ownNames(publication);
  const name = quoteIdentifier(trackTrigger);
  const exists = catalog.eventTriggers.some((trigger) => trigger.name === trackTrigger);
  return [
    ...(exists
      ? []
      : [
          `CREATE EVENT TRIGGER ${name} ON ddl_command_end
             WHEN TAG IN (${TAGS.map(quoteLiteral).join(", ")}) EXECUTE FUNCTION ${call(publication)}`,
          `COMMENT ON EVENT TRIGGER ${name} IS ${quoteLiteral(encodeMark(mark))}`,
        ]),
    // Also where session_replication_role is replica, as in sessions that load data without triggers.
    `ALTER EVENT TRIGGER ${name} ENABLE ALWAYS`,
  ];
}
