import { redact } from "../../provider/contract/secrets";

/**
 * What a person is told of an error: the message where someone can act on it, the stack where it is a bug. Never a
 * secret.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return redact(String(error));
  // By name: the sandbox and the package each have their own class of it.
  const actionable = error.name === "UserError" || "code" in error;
  return redact(actionable ? error.message : (error.stack ?? error.message));
}
