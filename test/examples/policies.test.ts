import {
  hasAllowList,
  isProduction,
  isProtected,
  leavesOut,
  noApiRole,
  openProjectIsReviewed,
  type Declared,
} from "../../examples/policies/rules";

function declared(type: string, props: Declared["props"] = {}, protect = false): Declared {
  return {
    type: `neon-bemi:index:${type}`,
    name: `orders-${type}`,
    props: { projectId: "p", ...props },
    protect,
  };
}

test.each([
  ["production", "^prod", true],
  ["preprod", "^prod", false],
  ["live-eu", "^(prod|live)", true],
])("the stack %s is production by %s: %s", (stack, pattern, expected) => {
  expect(isProduction(stack, pattern)).toBe(expected);
});

test("a role made through the API is refused, one made in SQL is not", () => {
  expect(noApiRole(declared("ApiRole", { name: "bemi" }))).toEqual([
    `Role bemi is made through Neon's API, so it can write to every table. Use role.createdBy: "sql".`,
  ]);
  expect(noApiRole(declared("ReplicationRole", { name: "bemi" }))).toEqual([]);
});

test.each([
  ["Publication", false, 1],
  ["ReplicaIdentity", false, 1],
  ["ReplicationRole", false, 1],
  ["ApiRole", false, 1],
  ["ReplicationSlot", false, 1],
  ["Publication", true, 0],
  ["Readiness", false, 0],
])("a %s with protect: %s has %i complaints", (type, protect, complaints) => {
  expect(isProtected(declared(type, {}, protect))).toHaveLength(complaints);
});

test("resources of other packages are no concern", () => {
  const bucket = { type: "aws:s3:Bucket", name: "b", props: { restrictOpenProject: true }, protect: false };
  expect([noApiRole(bucket), isProtected(bucket), openProjectIsReviewed(bucket, [])]).toEqual([[], [], []]);
  expect([hasAllowList([bucket]), leavesOut(bucket, ["*"])]).toEqual([[], []]);
});

test("restrictOpenProject needs a review of the project", () => {
  const list = declared("IpAllow", { restrictOpenProject: true });
  expect(openProjectIsReviewed(list, [])).toEqual([
    expect.stringMatching(/^restrictOpenProject locks .* project p /),
  ]);
  expect(openProjectIsReviewed(list, ["p"])).toEqual([]);
  expect(openProjectIsReviewed(declared("IpAllow", { restrictOpenProject: false }), [])).toEqual([]);
});

test("every project with a trail has an IP Allow list that a destroy leaves restricted", () => {
  const trail = declared("Publication");
  expect(hasAllowList([trail])).toEqual([
    "The trail of project p leaves its IP Allow list alone. Give it allowedIps.",
  ]);
  expect(hasAllowList([trail, declared("IpAllow", { projectId: "other" })])).toHaveLength(1);
  expect(hasAllowList([trail, declared("IpAllow")])).toEqual([]);
  expect(hasAllowList([trail, declared("IpAllow", { openRestrictedProject: true })])).toEqual([
    "openRestrictedProject lets a destroy open project p to everyone. Leave it out.",
  ]);
});

test.each([
  [
    "a named table",
    { tables: ["public.users", "auth.sessions"] },
    ["auth.*"],
    ["auth.sessions must not be tracked. Take it out of tables."],
  ],
  [
    "a table by a part of its name",
    { tables: ["public.api_token"] },
    ["public.*_token"],
    [expect.stringContaining("public.api_token must")],
  ],
  [
    "a named table that is excluded",
    { tables: ["auth.sessions"], excludeTables: ["auth.sessions"] },
    ["auth.*"],
    [],
  ],
  ["a dot that is no wildcard", { tables: ["publicXusers.a"] }, ["public.users*"], []],
  [
    "a whole schema",
    { schemas: ["public", "auth"] },
    ["auth.*"],
    [
      "auth.* must not be tracked, and schema auth is tracked as a whole. Name the tables to track in tables.",
    ],
  ],
  [
    "one table of a whole schema",
    { schemas: ["public"] },
    ["public.sessions"],
    [
      "public.sessions must not be tracked, and schema public is tracked as a whole. Add it to excludeTables.",
    ],
  ],
  [
    "one that is excluded",
    { schemas: ["public"], excludeTables: ["public.sessions"] },
    ["public.sessions"],
    [],
  ],
  ["another schema", { schemas: ["public"] }, ["auth.*"], []],
  [
    "all tables",
    { allTables: true },
    ["auth.*"],
    [expect.stringContaining("the database is tracked as a whole")],
  ],
])("judges %s", (_, props, patterns, complaints) => {
  expect(leavesOut(declared("Publication", props), patterns)).toEqual(complaints);
});
