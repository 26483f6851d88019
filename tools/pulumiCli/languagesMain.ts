import { ensureNodejsPrinter, ensurePython, ensureYaml, type Language } from "./languages";
import { Unavailable, type Progress } from "./pulumiCli";

/** A language, or the reason why it cannot be had on this machine. */
export type LanguageOrReason = Language | { readonly reason: string };

/** What {@link main} prints. */
export interface Languages {
  readonly yaml: LanguageOrReason;
  readonly python: LanguageOrReason;
  /** Prints programs only. */
  readonly nodejsPrinter: LanguageOrReason;
}

/** Prepares the languages, and prints where they are as JSON; progress goes to stderr. A program of its own for tests. */
async function main(): Promise<void> {
  const progress: Progress = (line) => {
    process.stderr.write(`${line}\n`);
  };
  const yaml = await orReason(ensureYaml({ progress }));
  const python = await orReason(ensurePython({ progress }));
  const nodejsPrinter = await orReason(ensureNodejsPrinter({ progress }));
  process.stdout.write(JSON.stringify({ yaml, python, nodejsPrinter } satisfies Languages));
}

async function orReason(language: Promise<Language>): Promise<LanguageOrReason> {
  try {
    return await language;
  } catch (error) {
    if (error instanceof Unavailable) return { reason: error.message };
    throw error;
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
