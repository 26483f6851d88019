import { redact } from "../../provider/contract/secrets";

/**
 * The text that is shown for an error: its message if the user can act on it, its stack if it is a bug. Secrets are
 * replaced.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return redact(String(error));
  // Compared by name, because the sandbox and the package each have their own class `UserError`.
  const actionable = error.name === "UserError" || "code" in error;
  return redact(actionable ? error.message : (error.stack ?? error.message));
}
