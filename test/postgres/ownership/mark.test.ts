import { formatMark, madeByResource, ownership, parseMark } from "../../../provider/postgres/ownership/mark";

const mine = {
  projectId: "cool-darkness-123456",
  branchId: "br-cool-sea-123456",
  database: 'odd "name"\n☂',
  managedBy: "shop/dev/orders",
};

test("a mark says whose an object is", () => {
  const comment = formatMark(mine);
  expect(parseMark(comment)).toEqual(mine);
  expect(ownership(comment, mine)).toBe("ours");
  expect(ownership(comment, { ...mine, branchId: "br-other-lake-1" })).toBe("copy of another branch");
  expect(ownership(comment, { ...mine, projectId: "other" })).toBe("copy of another branch");
  expect(ownership(comment, { ...mine, managedBy: "shop/prod/orders" })).toBe("other resource");
  expect(ownership(comment, { ...mine, database: "other" })).toBe("other resource");
});

test.each([
  null,
  undefined,
  "",
  "standard public schema",
  "Made by pulumi-neon-bemi",
  formatMark(mine).slice(0, -2),
])("%p is no mark", (comment) => {
  expect(ownership(comment, mine)).toBe("none");
});

test("further lines of a comment do not belong to the mark", () => {
  expect(parseMark(`${formatMark(mine)}\n{"more": 1}`)).toEqual(mine);
});

test("a restored branch has another id, and its objects the mark with the old one", () => {
  const comment = formatMark(mine);
  expect(madeByResource(comment, { ...mine, branchId: "br-new-1" })).toBe(true);
  expect(madeByResource(comment, { ...mine, managedBy: "other" })).toBe(false);
  expect(madeByResource(null, mine)).toBe(false);
});
