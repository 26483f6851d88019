/** A row as the server writes its values; a column is missing where the stream did not carry it. */
export type Row = Readonly<Record<string, string | null>>;

/** Operations in Bemi's words; TRUNCATE has none there, and carries no rows. */
export type Operation = "Create" | "Update" | "Delete" | "Truncate";

/** One change of one row, as Bemi sees it. */
export interface Change {
  /** When its transaction committed. */
  readonly time: Date;
  readonly operation: Operation;
  /** `schema.table`; for a partitioned table, the partition. */
  readonly table: string;
  /** Columns of the primary key, none for a table without one. */
  readonly key: readonly string[];
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** What the application did, as the application saw it. */
export interface Write {
  readonly operation: Exclude<Operation, "Truncate">;
  readonly table: string;
  /** The whole row, generated columns left out; `undefined` for a create. */
  readonly before: Row | undefined;
  /** The whole row, generated columns left out; `undefined` for a delete. */
  readonly after: Row | undefined;
}

/**
 * Compares what was captured with what the application did: every write must have arrived, table by table in its
 * order, with every column before and after. Returns what is wrong, in words; empty when nothing is.
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
