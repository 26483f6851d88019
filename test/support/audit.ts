import type { Change, Row } from "../../tools/start/changes";

/** One change as the application knows it, once it is committed. Rows are as the server writes their values. */
export interface Audited {
  readonly operation: Change["operation"];
  /** As the stream names it: of a partitioned table, the partition. */
  readonly table: string;
  readonly before?: Row;
  readonly after?: Row;
}

/** What an application has committed, for the comparison with what a consumer received. */
export class Audit {
  #committed: Audited[] = [];

  /** Takes the changes of a transaction down; call when its commit has been confirmed. */
  commit(changes: readonly Audited[]): void {
    this.#committed.push(...changes);
  }

  /** Everything committed since the last call. */
  take(): Audited[] {
    const taken = this.#committed;
    this.#committed = [];
    return taken;
  }
}

/**
 * Compares the two, change by change, on the given tables: every committed change must have been received exactly once,
 * with every column of the row before and after. Returns what is wrong, in words; empty when nothing is. The order is
 * not compared, as commits of several clients have none that they know.
 */
export function differences(
  committed: readonly Audited[],
  received: readonly Audited[],
  tables: ReadonlySet<string>,
): string[] {
  const counts = new Map<string, number>();
  const count = (changes: readonly Audited[], step: 1 | -1): void => {
    for (const change of changes) {
      if (!tables.has(change.table)) continue;
      const key = describe(change);
      counts.set(key, (counts.get(key) ?? 0) + step);
    }
  };
  count(committed, 1);
  count(received, -1);
  const wrong = [...counts].filter(([, balance]) => balance !== 0);
  return wrong.map(([change, balance]) =>
    balance > 0 ? `missing ${balance} x ${change}` : `too many ${-balance} x ${change}`,
  );
}

function describe({ operation, table, before, after }: Audited): string {
  return `${operation} ${table} ${text(before)} -> ${text(after)}`;
}

function text(row: Row | undefined): string {
  if (row === undefined) return "(none)";
  const columns = Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));
  return columns.map(([column, value]) => `${column}=${value ?? "NULL"}`).join(" ");
}
