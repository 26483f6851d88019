import { NeonError } from "./errors";

/** The result of the work; `undefined` if it ends in a 404. */
export async function undefinedOn404<Value>(work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof NeonError && error.status === 404) return undefined;
    throw error;
  }
}
