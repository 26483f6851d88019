import type { Run } from "../../contract/kind";
import { UserError } from "../../contract/errors";
import { hasCode, type SqlError } from "./sqlError";

/*
 * Neon's computes report each CREATE, ALTER and DROP ROLE to Neon's control plane, when its transaction commits. If the
 * control plane refuses, or does not answer, the commit fails with SQLSTATE XX000 and words of `neon_ddl_handler.c`.
 */

/** The control plane answered with an error. */
const ANSWERED = /^Received HTTP code (\d+) from control plane/;
/** The control plane did not answer, or could not be reached. It may have taken the change all the same. */
const UNANSWERED = "Failed to perform curl request: ";

/** Pause before the second attempt, in milliseconds. */
const PAUSE_MS = 1_000;

/**
 * Sends statements about a role, once more if Neon's control plane failed at it. That is safe because the failed
 * transaction was rolled back, and because the second attempt tells the control plane the same.
 *
 * @param what what the statements do, as the end of a sentence, e.g. `creating role "bemi"`
 * @param work one transaction
 * @throws UserError if the control plane fails again, or refuses
 */
export async function withControlPlane<Result>(
  run: Pick<Run, "log" | "clock" | "checkpoint">,
  what: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isFailure(error)) throw inWords(error, what);
    run.log(`Neon's control plane failed at ${what} (${error.reason}). Trying once more.`);
  }
  await run.clock.sleep(PAUSE_MS);
  run.checkpoint();
  try {
    return await work();
  } catch (error) {
    throw inWords(error, what);
  }
}

/** Whether the control plane failed in a way that may pass: no answer, an error of its own, or too much to do. */
function isFailure(error: unknown): error is SqlError {
  if (!hasCode(error, "XX000")) return false;
  const status = Number(ANSWERED.exec(error.reason)?.[1]);
  return error.reason.startsWith(UNANSWERED) || status >= 500 || status === 423 || status === 429;
}

function inWords(error: unknown, what: string): unknown {
  if (!hasCode(error, "XX000")) return error;
  const { reason } = error;
  if (reason.startsWith(UNANSWERED))
    return new UserError(
      `Neon's control plane did not answer at ${what}, so the database took it back: ${reason}. Run again. If the role shows up in Neon's console meanwhile although nothing was created, delete it there first.`,
    );
  if (ANSWERED.test(reason))
    return new UserError(
      `Neon's control plane refused ${what}, so the database took it back: ${reason}. Check Neon's status and whether the branch allows changes of roles, and run again.`,
    );
  return error;
}
