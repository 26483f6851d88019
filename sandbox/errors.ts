/** A mistake that the user of the sandbox can correct; the message says how. Any other error is a bug. */
export class UserError extends Error {
  override readonly name = "UserError";
}
