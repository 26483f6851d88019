/** What the server has counted about one table, and how wide its rows are. */
export interface TableStatistics {
  /** Estimated number of rows. */
  readonly rows: number;
  /** Rows inserted, updated and deleted since the beginning of the window. */
  readonly inserts: number;
  readonly updates: number;
  /** Those of the updates whose new row version is on the same page, so that no index changed. */
  readonly hotUpdates: number;
  readonly deletes: number;
  /** Pieces of out-of-line values (TOAST) that were deleted in the window: by updates of such values, and by deletes. */
  readonly pieceDeletes: number;
  /** Average bytes of a row in the table itself, headers not counted; `null` before the first ANALYZE. */
  readonly inlineBytes: number | null;
  /** Pieces of out-of-line values that a row has on average; 0 for a table without any. */
  readonly piecesPerRow: number;
  /** Bytes of a row's values that are out of line, on average, as they are stored (compressed). */
  readonly outOfLineBytes: number;
  /** Number of indexes. */
  readonly indexes: number;
}

/** The statistics of a database at one moment. */
export interface Statistics {
  /** For how long the server has counted, in seconds; `null` if it does not say. */
  readonly windowSeconds: number | null;
  /** Ordinary tables, by oid. */
  readonly tables: ReadonlyMap<number, TableStatistics>;
}
