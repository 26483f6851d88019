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
import { fullFunction, publishFunction } from "./functions";
import { ownNames } from "../ownership/ownNames";
import { ownTriggers, refuseForeignTriggers } from "./state";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

/**
 * Installs the two event triggers that track new tables from their first row, or brings them in line with the
 * selection. Throws a {@link UserError} where somebody else has made an event trigger of the same name.
 *
 * - Two functions, because they need different rights: only a table's owner may change its identity, so the first
 *   function runs as whoever runs the DDL; only the publication's owner may add a table to it, so the second runs as
 *   that owner.
 * - The DDL of the app neither fails nor waits because of them. They look at the tables of the command alone, never
 *   raise an error, lock no table more strongly than the command has, and wait for the publication once per statement,
 *   for at most 100 ms. What they could not do, the next up does.
 * - A function that runs as the caller must give a superuser's rights to nobody. Plain PostgreSQL lets only superusers
 *   create event triggers, so the function belongs to a superuser. Neon lets its owner roles create them, and does not
 *   run their functions for a superuser.
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
  const names = ownNames(publication);
  const statements = [
    ...fullFunction(selection, publication),
    ...publishFunction(catalog, selection, publication),
    ...eventTrigger(catalog, names.fullTrigger, call(names.fullFunction), mark, [
      "CREATE TABLE",
      "CREATE TABLE AS",
      "SELECT INTO",
      "CREATE SCHEMA",
      "ALTER TABLE",
    ]),
    // Only ALTER TABLE: the other trigger alters each new table, which fires this one. With the tags of the other, it
    // would run twice for each table.
    ...eventTrigger(catalog, names.publishTrigger, call(names.publishFunction), mark, ["ALTER TABLE"]),
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
 * Drops the event triggers of this trail that the module made, and their functions. The functions are dropped last,
 * after a wait: DDL that began before the triggers were dropped still calls them, and would fail without them.
 *
 * @param waits whether to wait for the transactions in which the triggers have fired. They may have made tables that
 *   nobody else sees yet
 * @throws UserError if `waits`, and such a transaction stays open
 */
export async function removeTracking(
  session: Session,
  catalog: Catalog,
  publication: string,
  { waits = false }: { readonly waits?: boolean } = {},
): Promise<void> {
  const names = ownNames(publication);
  const triggers = ownTriggers(catalog, publication);
  const functions = [names.fullFunction, names.publishFunction].map(
    (name) => `DROP FUNCTION IF EXISTS ${call(name)}`,
  );
  if (triggers.length > 0) {
    await runTogether(
      session,
      triggers.map(({ name }) => `DROP EVENT TRIGGER IF EXISTS ${quoteIdentifier(name)}`),
    );
    await waitForOlderWriters(session, LOCK_POLICY.migrationPatience);
  }
  const lock = waits && hasLockView(catalog) ? [`LOCK TABLE ${LOCK_VIEW_SQL} IN ACCESS EXCLUSIVE MODE`] : [];
  try {
    await runTogether(session, [...lock, ...functions]);
  } catch (error) {
    if (!hasCode(error, "55P03")) throw error;
    // The error names who holds the lock.
    throw new UserError(
      `A transaction that is still open has made or altered a tracked table, so its replica identity could not be put back. ${error.message} When it has ended, run destroy again; what was done stays done.`,
    );
  }
}

function call(name: string): string {
  return `${quoteIdentifier(MODULE_SCHEMA)}.${quoteIdentifier(name)}()`;
}

function eventTrigger(
  catalog: Catalog,
  name: string,
  functionCall: string,
  mark: Mark,
  tags: readonly string[],
): string[] {
  const existing = catalog.eventTriggers.find((trigger) => trigger.name === name);
  if (existing !== undefined) return [`ALTER EVENT TRIGGER ${quoteIdentifier(name)} ENABLE`];
  return [
    `CREATE EVENT TRIGGER ${quoteIdentifier(name)} ON ddl_command_end
       WHEN TAG IN (${tags.map(quoteLiteral).join(", ")}) EXECUTE FUNCTION ${functionCall}`,
    `COMMENT ON EVENT TRIGGER ${quoteIdentifier(name)} IS ${quoteLiteral(encodeMark(mark))}`,
  ];
}
