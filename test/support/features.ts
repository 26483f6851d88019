import type { PostgresVersion } from "../../sandbox/compute";
import { DEFAULT_VERSION } from "./postgres";

/** What older servers lack, as the end of "PostgreSQL 14 has no ...". */
export type Feature = keyof typeof FEATURES;
const FEATURES = {
  "ADD that locks the publication": 15,
  "column lists": 15,
  "privileges on parameters": 15,
  "publications of schemas": 15,
  "row filters": 15,
  "owner that makes Bemi's role in SQL": 16,
  "generated columns in publications": 18,
  "streams that pass over a missing publication": 18,
} as const satisfies Record<string, PostgresVersion>;

/** Whether the server that tests run on has it. */
export function has(feature: Feature): boolean {
  return DEFAULT_VERSION >= FEATURES[feature];
}

/** Makes a publication publish generated columns too. Otherwise UPDATE and DELETE of a FULL table with one are refused. */
export const WITH_GENERATED_COLUMNS = has("generated columns in publications")
  ? " WITH (publish_generated_columns = stored)"
  : "";

/**
 * `test` for what only some versions have. On a server without it the test is left out, and its title in the report says
 * why.
 */
export function testWith(feature: Feature): (title: string, run: () => Promise<void>) => void {
  if (has(feature)) return test;
  return (title, run) => {
    test.skip(`${title} (PostgreSQL ${DEFAULT_VERSION} has no ${feature})`, run);
  };
}

/** As {@link testWith}, for the tests of one `describe`. */
export function describeWith(feature: Feature): (title: string, tests: () => void) => void {
  if (has(feature)) return describe;
  return (title, tests) => {
    describe.skip(`${title} (PostgreSQL ${DEFAULT_VERSION} has no ${feature})`, tests);
  };
}
