import type { TableFacts } from "../../../provider/contract/catalog";
import { decide } from "../../../provider/postgres/catalog/publishability";
import { table } from "../../support/catalog";

const OBSTACLE = "has a virtual generated column";
type Facts = Partial<TableFacts>;
const FULL: readonly Facts[] = [{ identity: "full" }];
const USABLE: readonly Facts[] = [
  { identity: "default", hasPrimaryKey: true },
  { identity: "index", identityIndex: { oid: 1, name: "by_id", columns: ["id"] }, hasPrimaryKey: false },
];
const NOT_USABLE: readonly Facts[] = [
  { identity: "default", hasPrimaryKey: false },
  { identity: "index", identityIndex: null },
  { identity: "nothing" },
];

/** The rows of the decision table. */
interface Row {
  readonly row: string;
  readonly obstacle?: string;
  readonly mayAlter?: boolean;
  readonly identities: readonly Facts[];
  /** Expected: full, ready, safe. */
  readonly decision: readonly [boolean, boolean, boolean];
}
const ROWS: readonly Row[] = [
  { row: "FULL is set", identities: FULL, decision: [true, true, true] },
  { row: "FULL is set, another's table", mayAlter: false, identities: FULL, decision: [true, true, true] },
  { row: "usable identity", identities: USABLE, decision: [true, false, true] },
  { row: "no usable identity", identities: NOT_USABLE, decision: [true, false, false] },
  {
    row: "usable identity, another's table",
    mayAlter: false,
    identities: USABLE,
    decision: [false, true, true],
  },
  {
    row: "no usable identity, another's table",
    mayAlter: false,
    identities: NOT_USABLE,
    decision: [false, false, false],
  },
  {
    row: "FULL is set, but ruled out",
    obstacle: OBSTACLE,
    identities: FULL,
    decision: [false, false, false],
  },
  {
    row: "usable identity, FULL is ruled out",
    obstacle: OBSTACLE,
    identities: USABLE,
    decision: [false, true, true],
  },
  {
    row: "no usable identity, FULL is ruled out",
    obstacle: OBSTACLE,
    identities: NOT_USABLE,
    decision: [false, false, false],
  },
];

test.each(ROWS)("$row", ({ obstacle, mayAlter = true, identities, decision }) => {
  for (const facts of identities) {
    const { full, ready, safe } = decide(table("public.t", { mayAlter, ...facts }), obstacle);
    expect([full, ready, safe]).toEqual(decision);
  }
});

test("a partitioned table, which holds no rows, is safe with any identity", () => {
  for (const identity of ["full", "default", "nothing"] as const)
    for (const obstacle of [undefined, OBSTACLE]) {
      const facts = { identity, partitioned: true, hasPrimaryKey: false } as const;
      expect(decide(table("public.t", facts), obstacle).safe).toBe(true);
    }
});

test("says what rules FULL out, and whether there is a key to fall back on", () => {
  expect(decide(table("public.t"), OBSTACLE)).toMatchObject({ best: "key", because: OBSTACLE });
  const keyless = table("public.t", { hasPrimaryKey: false });
  expect(decide(keyless, OBSTACLE)).toMatchObject({ best: "none", because: OBSTACLE });
  expect(decide(keyless, undefined)).toMatchObject({ best: "full" });
});
