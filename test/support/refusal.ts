import { UserError } from "../../provider/contract/errors";

/** The message of the {@link UserError} in which the work ends; `undefined` when it succeeds. Other errors are thrown. */
export async function refusal(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}
