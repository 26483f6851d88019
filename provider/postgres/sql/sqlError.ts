import { DatabaseError } from "pg";
import { UserError } from "../../contract/errors";
import { printable } from "../../contract/printable";

/** Longest message, detail or hint of the server that is shown, in characters: each can hold what others wrote. */
const LONGEST = 1_000;

/**
 * An error that PostgreSQL raised for one statement. It carries the message, SQLSTATE, detail and hint, and never
 * the context (`where`, `internalQuery`) nor the statement, which can hold a password.
 */
export class SqlError extends UserError {
  constructor(
    /** PostgreSQL's own message. */
    readonly reason: string,
    /** SQLSTATE. */
    readonly code: string,
    readonly detail?: string,
    readonly hint?: string,
  ) {
    super([`PostgreSQL: ${reason} (${code}).`, detail, hint].filter((part) => part !== undefined).join(" "));
  }
}

/** Takes over what may be shown of the driver's error; anything that is not PostgreSQL's is `undefined`. */
export function toSqlError(error: unknown): SqlError | undefined {
  if (!(error instanceof DatabaseError) || error.code === undefined) return undefined;
  const shown = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : printable(text, LONGEST);
  return new SqlError(printable(error.message, LONGEST), error.code, shown(error.detail), shown(error.hint));
}

/** Whether PostgreSQL raised exactly this. */
export function hasCode(error: unknown, ...codes: readonly string[]): error is SqlError {
  return error instanceof SqlError && codes.includes(error.code);
}
