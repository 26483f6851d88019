/** Something the person who starts the sandbox can put right; the message says how. Anything else is a bug. */
export class UserError extends Error {
  override readonly name = "UserError";
}
