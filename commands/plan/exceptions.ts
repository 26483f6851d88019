import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import * as z from "zod";
import { UserError } from "../../provider/contract/errors";
import { CODES, type Code } from "../../report/finding";
import type { Exception } from "../../report/plan/facts";

/** The file of exceptions in a project's folder. */
export const EXCEPTIONS_FILE = "neon-bemi.exceptions.json";

const schema = z.strictObject({
  exceptions: z.array(
    z.strictObject({
      code: z.enum(Object.keys(CODES) as [Code, ...Code[]], "is not a code of docs/plan.md"),
      subject: z.string().optional(),
      reason: z.string().trim().min(1, "must say why the finding is accepted"),
    }),
  ),
});

/**
 * Reads the findings that a team has accepted, each with its reason.
 *
 * @param file given by the user; without it, {@link EXCEPTIONS_FILE} of the folder counts if it exists
 * @throws UserError with everything that is wrong with the file
 */
export function readExceptions(file: string | undefined, folder = "."): readonly Exception[] {
  const chosen = file ?? path.join(folder, EXCEPTIONS_FILE);
  if (file === undefined && !existsSync(chosen)) return [];
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(chosen, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError(
      `The file of exceptions ${chosen} cannot be read: ${reason}. Correct it, or name another one.`,
    );
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data.exceptions;
  throw new UserError(
    [
      `The file of exceptions ${chosen} needs attention:`,
      ...result.error.issues.map(({ path: steps, message }) => `  - ${steps.join(".")} ${message}`),
    ].join("\n"),
  );
}
