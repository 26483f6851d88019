/**
 * Something the user can act on. The message is one to three sentences: the object, what happened, what to do.
 * Anything else that is thrown counts as a bug and keeps its stack.
 */
export class UserError extends Error {
  override readonly name = "UserError";

  /** The message, line by line. A line break inside a line belongs to a name, and is shown as `\n`. */
  readonly lines: readonly string[];

  /** @param message one line, or a list of lines */
  constructor(message: string | readonly string[]) {
    const lines = typeof message === "string" ? [message] : message;
    super(lines.join("\n"));
    this.lines = lines;
  }

  /** Whether the thing asked for, or something it is part of, does not exist (any more). */
  readonly gone: boolean = false;
}

/** Whether an error says that the thing asked for, or something it is part of, does not exist (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof UserError && error.gone;
}

/**
 * Something was made or changed, and then could not be brought to its end: nothing else remembers whose it is, so the
 * state must keep `outputs` although the step failed. The next up calls `update`.
 */
export class UnfinishedError extends UserError {
  constructor(
    message: string | readonly string[],
    readonly outputs: object,
  ) {
    super(message);
  }
}
