import { catalogState } from "./catalogState";
import type { TestDatabase } from "./postgres";

/** Expects that some work, such as the plan of a preview, leaves the catalogs of `neondb` and all roles as they are. */
export async function unchanged<Result>(
  db: Pick<TestDatabase, "superuserUri">,
  work: () => Promise<Result>,
): Promise<Result> {
  const before = await catalogState(db, "neondb");
  const result = await work();
  expect(await catalogState(db, "neondb")).toEqual(before);
  return result;
}
