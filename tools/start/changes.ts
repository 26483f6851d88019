/** A row, with its values as the server's text. A column that the stream did not carry is missing. */
export type Row = Readonly<Record<string, string | null>>;

/** Operations in Bemi's words. Bemi has no word for TRUNCATE, which carries no rows. */
type Operation = "Create" | "Update" | "Delete" | "Truncate";

/** One change of one row, as Bemi sees it. */
export interface Change {
  /** The time at which the transaction committed. */
  readonly time: Date;
  readonly operation: Operation;
  /** `schema.table`. For a partitioned table, the partition that holds the row. */
  readonly table: string;
  /** Columns of the primary key; empty for a table without one. */
  readonly key: readonly string[];
  readonly before: Row | undefined;
  readonly after: Row | undefined;
  /** What the application said about the transaction, as Bemi's ORM packages do: JSON. Left out: nothing. */
  readonly context?: string;
}

/** One write of the application, as the application saw it. */
export interface Write {
  readonly operation: Exclude<Operation, "Truncate">;
  readonly table: string;
  /** The whole row without generated columns; `undefined` for a create. */
  readonly before: Row | undefined;
  /** The whole row without generated columns; `undefined` for a delete. */
  readonly after: Row | undefined;
  /** The context of its transaction, JSON. Left out: none. */
  readonly context?: string;
}

/**
 * Compares the captured changes with the writes of the application. In each table, every write must have arrived in its
 * order, with every column before and after, and with the context of its transaction. Returns a sentence for each fault.
 */
export function discrepancies(writes: readonly Write[], changes: readonly Change[]): string[] {
  const tables = new Set([...writes, ...changes].map((item) => item.table));
  return [...tables].sort().flatMap((table) => {
    const made = writes.filter((write) => write.table === table);
    const captured = changes.filter((change) => change.table === table);
    if (made.length !== captured.length) {
      return [`${table}: the application made ${operations(made)}, captured were ${operations(captured)}`];
    }
    return made.flatMap((write, index) => {
      const change = captured[index];
      return change === undefined ? [] : differs(write, change);
    });
  });
}

function operations(list: readonly { readonly operation: Operation }[]): string {
  return list.length === 0 ? "none" : list.map((item) => item.operation).join(", ");
}

function differs(write: Write, change: Change): string[] {
  const what = `${write.operation} in ${write.table}`;
  if (write.operation !== change.operation) return [`${what} was captured as ${change.operation}`];
  return [
    ...(write.context === change.context
      ? []
      : [`${what} has the context ${change.context ?? "(none)"} instead of ${write.context ?? "(none)"}`]),
    ...rowDiffers(`${what}: the row before`, write.before, change.before),
    ...rowDiffers(`${what}: the row after`, write.after, change.after),
  ];
}

function rowDiffers(what: string, wanted: Row | undefined, got: Row | undefined): string[] {
  if (wanted === undefined) return got === undefined ? [] : [`${what} should not exist`];
  if (got === undefined) return [`${what} is missing`];
  const columns = Object.keys(wanted).filter((column) => wanted[column] !== got[column]);
  return columns.length === 0 ? [] : [`${what} lacks or alters ${columns.join(", ")}`];
}
