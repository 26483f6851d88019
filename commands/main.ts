import { UserError } from "../provider/contract/errors";
import { redact } from "../provider/contract/secrets";
import { assertFresh } from "../provider/plugin/freshness";
import { runCommand } from "./program";

/** What a command ends with that could not do its work. */
const FAILED = 3;

async function main(): Promise<number> {
  assertFresh();
  return runCommand(process.argv.slice(2), process.env);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    // The message of a UserError says everything the user needs. Anything else is a fault of this package.
    const text = error instanceof Error && !(error instanceof UserError) ? error.stack : undefined;
    console.error(redact(text ?? (error instanceof Error ? error.message : String(error))));
    process.exitCode = FAILED;
  },
);
