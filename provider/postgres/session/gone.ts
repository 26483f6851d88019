import { isGone } from "../../contract/errors";

/** Runs `work`. Returns `undefined` when its project, branch or database does not exist. */
export async function unlessGone<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
