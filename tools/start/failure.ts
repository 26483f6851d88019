import { printableLines } from "../../provider/contract/printable";

/**
 * The text that is shown for an error: its message if the user can act on it, its stack if it is a bug. Secrets are
 * replaced.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return printableText(String(error));
  // Compared by name, because the sandbox and the package each have their own class `UserError`.
  const actionable = error.name === "UserError" || "code" in error;
  return printableText(actionable ? error.message : (error.stack ?? error.message));
}

/** What the Pulumi CLI has printed is in these texts, so their line breaks are kept. */
function printableText(text: string): string {
  return printableLines(text.split(/\r?\n/));
}
