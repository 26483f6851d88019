import type * as lockPolicy from "../../provider/postgres/sql/lockPolicy";

/**
 * The module's rules for locks with two seconds of patience instead of ten, for tests in which others keep what the module
 * waits for. A test gives it to `jest.mock`.
 */
export function shortPatience(): object {
  const actual = jest.requireActual<typeof lockPolicy>("../../provider/postgres/sql/lockPolicy");
  return { ...actual, LOCK_POLICY: { ...actual.LOCK_POLICY, patience: "2 s" } };
}
