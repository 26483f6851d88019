import type { TableFacts } from "../../provider/contract/catalog";
import type { TableStatistics } from "./statistics";

/** How the server logs the changes of a table. */
export interface Logging {
  /** Whether `wal_level` is logical: then an UPDATE logs the whole new row, otherwise only what changed of it. */
  readonly logical: boolean;
  /** What an UPDATE or DELETE logs of the row before: all of it, its key, or nothing. */
  readonly before: "row" | "key" | "nothing";
}

/** What the estimate needs of a table's statistics. */
export type Changes = Omit<TableStatistics, "rows" | "inlineBytes"> & { readonly inlineBytes: number };

/*
 * Sizes of PostgreSQL's records, from the headers of its source (access/xlogrecord.h, access/heapam_xlog.h), the same
 * from 14 to 18. Every record has a header of 24 bytes, names one page with 20 bytes, and is padded by 4 on average.
 */
const RECORD = 24 + 20 + 2 + 4;
/** A second page of the same table in a record. */
const SECOND_PAGE = 8;
const INSERT = RECORD + 8;
const UPDATE = RECORD + 19;
const DELETE = RECORD + 8;
/** The lock on a row whose new version goes to another page. */
const LOCK = RECORD + 8;
/** One entry in an index, with a key of 16 bytes. */
const INDEX_ENTRY = RECORD + 26;
/** The header of an old row or key within a record. */
const OLD_HEADER = 5;
/** A key, for all of them: it hardly counts. */
const KEY = 16;
/** What of a row an UPDATE changes and so logs below wal_level logical, where the version stays on its page. */
const CHANGED = 24;
/** What the removal of an old row version costs later, by pruning or vacuum. */
const CLEANING = 8;
/** A pointer to a value that is out of line. */
const POINTER = 18;

/**
 * Estimates how many bytes of write-ahead log changes take: their records, without full-page images, which Neon does not
 * write, and without commits, which are the same with every replica identity. A test compares it with what a server
 * writes.
 */
export function walBytes(changes: Changes, { logical, before }: Logging): number {
  const { inserts, updates, deletes, piecesPerRow, outOfLineBytes, inlineBytes, indexes } = changes;
  const hot = Math.min(changes.hotUpdates, updates);
  const moved = updates - hot;
  const entries = indexes * INDEX_ENTRY;

  const piece = piecesPerRow === 0 ? 0 : outOfLineBytes / piecesPerRow;
  // A piece is a row of its own with an index entry.
  const newPiece = piece === 0 ? 0 : INSERT + piece + 16 + INDEX_ENTRY;
  const piecesOfDeletes = deletes * piecesPerRow;
  const rewritten = Math.max(0, changes.pieceDeletes - piecesOfDeletes);

  const newRow = inlineBytes;
  const oldRow = before === "row" ? OLD_HEADER + wholeRowBytes(changes) : 0;
  const oldKey = before === "key" ? OLD_HEADER + KEY : 0;
  return (
    inserts * (INSERT + newRow + entries + piecesPerRow * newPiece) +
    hot * (UPDATE + (logical ? newRow : Math.min(newRow, CHANGED)) + CLEANING) +
    moved * (UPDATE + SECOND_PAGE + newRow + LOCK + entries + CLEANING) +
    updates * oldRow +
    deletes * (DELETE + oldRow + oldKey + CLEANING) +
    rewritten * (newPiece + DELETE) +
    Math.min(changes.pieceDeletes, piecesOfDeletes) * DELETE
  );
}

/** Bytes of a row with its values that are out of line, as FULL logs it. */
function wholeRowBytes({ inlineBytes, outOfLineBytes }: Changes): number {
  return outOfLineBytes === 0 ? inlineBytes : Math.max(0, inlineBytes - POINTER) + outOfLineBytes;
}

/**
 * What a table's UPDATEs and DELETEs log of the row before, by its replica identity. An UPDATE logs the key only if it
 * changes the key, which is rare and not counted.
 */
export function loggedBefore({
  identity,
  hasPrimaryKey,
  identityIndex,
}: Pick<TableFacts, "identity" | "hasPrimaryKey" | "identityIndex">): Logging["before"] {
  if (identity === "full") return "row";
  if (identity === "index") return identityIndex === null ? "nothing" : "key";
  return identity === "default" && hasPrimaryKey ? "key" : "nothing";
}
