import { LOCK_POLICY } from "../sql/lockPolicy";
import { UserError } from "../../contract/errors";
import { runTogether, waitForOlderWriters } from "../sql/block";
import type { Catalog } from "../../contract/catalog";
import { encodeMark, decodeMark, type Mark } from "../ownership/mark";
import type { Selection } from "../selection/selection";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { identityFunction, publishFunction } from "./functions";
import { ownNames } from "../ownership/ownNames";
import { ownTriggers } from "./state";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";

/**
 * Installs the event triggers that track new tables from their first row, or brings them in line with the selection.
 * They replace nothing: an event trigger of the same name that somebody else made is an error.
 *
 * - One runs with the rights of whoever runs the DDL (only the table's owner may change its identity), the other as
 *   its owner (only the publication's owner may add to it). One function for both would fail one of them.
 * - They look at the tables of the command alone, never raise an error, lock no table that the command has not locked
 *   as strongly itself, and wait for the publication once per statement, for at most 100 ms: the DDL of the app neither
 *   fails nor waits because of them. What they could not do, the next up does.
 * - On PostgreSQL itself only a superuser may create event triggers, so the function that runs as the caller is a
 *   superuser's there and nobody gains anything when a superuser runs DDL. Neon lets its owner roles create them, and
 *   does not run their functions for a superuser.
 *
 * `false` when our role may not: new tables then wait for the next up.
 */
export async function installTracking(
  session: Session,
  catalog: Catalog,
  wanted: Selection,
  publication: string,
  mark: Mark,
): Promise<boolean> {
  const names = ownNames(publication);
  const statements = [
    ...identityFunction(catalog, wanted, publication),
    ...publishFunction(catalog, wanted, publication),
    ...eventTrigger(
      catalog,
      names.identityTrigger,
      `${quoteIdentifier(names.schema)}.track_identity()`,
      mark,
      ["CREATE TABLE", "CREATE TABLE AS", "SELECT INTO", "CREATE SCHEMA", "ALTER TABLE"],
    ),
    // The first one's ALTER TABLE fires this one; with the other tags it would run twice for each table.
    ...eventTrigger(
      catalog,
      names.publishTrigger,
      `${quoteIdentifier(names.schema)}.track_publication()`,
      mark,
      ["ALTER TABLE"],
    ),
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
 * Removes event triggers and functions, if they are there and carry a mark of this module. The functions go last: DDL
 * that has reached its triggers calls them until it is done, and fails where one is gone. All they may wait for on the
 * way is one lock for 100 ms.
 */
export async function removeTracking(session: Session, catalog: Catalog, publication: string): Promise<void> {
  const { schema } = ownNames(publication);
  const triggers = ownTriggers(catalog, publication);
  const functions = ["track_identity()", "track_publication()"].map(
    (name) => `DROP FUNCTION IF EXISTS ${quoteIdentifier(schema)}.${name}`,
  );
  if (triggers.length > 0) {
    await runTogether(
      session,
      triggers.map(({ name }) => `DROP EVENT TRIGGER IF EXISTS ${quoteIdentifier(name)}`),
    );
    await waitForOlderWriters(session, LOCK_POLICY.migrationPatience);
  }
  await runTogether(session, functions);
}

function eventTrigger(
  catalog: Catalog,
  name: string,
  call: string,
  mark: Mark,
  tags: readonly string[],
): string[] {
  const existing = catalog.eventTriggers.find((trigger) => trigger.name === name);
  if (existing !== undefined) {
    if (decodeMark(existing.comment) === undefined) {
      throw new UserError(
        `The event trigger "${name}" exists already and was not made by this module. Drop or rename it, or set trackNewTables to false.`,
      );
    }
    return [`ALTER EVENT TRIGGER ${quoteIdentifier(name)} ENABLE`];
  }
  return [
    `CREATE EVENT TRIGGER ${quoteIdentifier(name)} ON ddl_command_end
       WHEN TAG IN (${tags.map(quoteLiteral).join(", ")}) EXECUTE FUNCTION ${call}`,
    `COMMENT ON EVENT TRIGGER ${quoteIdentifier(name)} IS ${quoteLiteral(encodeMark(mark))}`,
  ];
}
