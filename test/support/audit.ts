import type { Change, Row } from "../../tools/start/changes";

/** One committed change, as the application knows it. Rows hold the values as text, as the server writes them. */
export interface Audited {
  readonly operation: Change["operation"];
  /** The table as the stream names it. For a partitioned table that is the partition. */
  readonly table: string;
  readonly before?: Row;
  readonly after?: Row;
}

/** The changes that an application has committed, to be compared with those that a consumer received. */
export class Audit {
  #committed: Audited[] = [];

  /** Records the changes of a transaction. Call it when the commit has been confirmed. */
  commit(changes: readonly Audited[]): void {
    this.#committed.push(...changes);
  }

  /** The changes committed since the last call. */
  take(): Audited[] {
    const taken = this.#committed;
    this.#committed = [];
    return taken;
  }
}

/**
 * Compares committed with received changes, on the given tables. Every change must have been received exactly once,
 * with every column of the row before and after. Returns one line for each difference. The order is not compared,
 * because clients do not know in which order their transactions were committed.
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
