/**
 * Something the user can act on. The message is one to three sentences: the object, what happened, what to do.
 * Anything else that is thrown counts as a bug and keeps its stack.
 */
export class UserError extends Error {
  override readonly name = "UserError";
}
