import { isGone } from "../../contract/errors";

/** Runs `work`; `undefined` when the project, branch or database that it works on does not exist (any more). */
export async function unlessGone<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
