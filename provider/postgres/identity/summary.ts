import { createHash } from "node:crypto";
import type { TableFacts } from "../../contract/catalog";
import { formatTableName } from "../catalog/tableNames";

/** The first ten tables that are not as wanted, each with the reason: what the outputs may say without growing. */
export function describePending(pending: readonly { table: TableFacts; because: string }[]): string[] {
  return pending.slice(0, 10).map(({ table, because }) => `${formatTableName(table)}: ${because}`);
}

/**
 * A hash that changes whenever the set of tables or the state of one of them does, and not with their order. It is given the
 * tables that are not as they should be: a hash of all of them would change with every migration.
 */
export function fingerprint(entries: readonly { table: TableFacts; state: string }[]): string {
  const lines = entries.map(({ table, state }) => `${table.oid}:${state}`).sort();
  return createHash("md5").update(lines.join("\n")).digest("hex");
}
