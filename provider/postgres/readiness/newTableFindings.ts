import type { Catalog, SettingFacts } from "../../contract/catalog";
import { LOCK_VIEW_SQL } from "../record/lines";
import { degraded, type Finding } from "../selection/findings";
import { quoteIdentifier } from "../sql/quote";
import { idleTriggers, newTablesMode, tracksNewTables } from "../tracking/state";
import type { Trail } from "./trail";

/** Why new tables are tracked by the next up only, where they are to be tracked from their first row. */
export function newTableFindings(catalog: Catalog, trail: Trail): Finding[] {
  const { publication, trackNewTables } = trail;
  if (!trackNewTables || newTablesMode(catalog, publication, trail, trackNewTables) !== "next up") return [];
  const off = catalog.server.eventTriggersOff;
  if (off.length > 0 && idleTriggers(catalog, publication).length === 0)
    return off.map((setting) =>
      degraded(
        "New tables",
        `are tracked from the next up on, not from their first row: ${setting.name} is off ${forWhom(setting)}, so event triggers do not fire.`,
        `Run ${resetSql(setting)}, and pulumi up again. Until then, run pulumi up after each migration that creates tables.`,
      ),
    );
  if (tracksNewTables(catalog, publication))
    return [
      degraded(
        "New tables",
        `are tracked from the next up on, not from their first row: the event trigger fails without the view ${LOCK_VIEW_SQL}.`,
        "Run pulumi up again, which makes it.",
      ),
    ];
  return [
    degraded(
      "New tables",
      `are tracked from the next up on, not from their first row: ${catalog.server.currentRole} may not create event triggers here, or they were disabled.`,
      "Run pulumi up after each migration that creates tables.",
    ),
  ];
}

function forWhom({ role, database }: SettingFacts): string {
  const who = role === null ? "for all roles" : `for role ${role}`;
  return database === null ? who : `${who} in database ${database}`;
}

function resetSql({ name, role, database }: SettingFacts): string {
  if (role === null && database !== null) return `ALTER DATABASE ${quoteIdentifier(database)} RESET ${name}`;
  const who = `ALTER ROLE ${role === null ? "ALL" : quoteIdentifier(role)}`;
  return `${who}${database === null ? "" : ` IN DATABASE ${quoteIdentifier(database)}`} RESET ${name}`;
}
