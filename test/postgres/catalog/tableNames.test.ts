import fc from "fast-check";
import { UserError } from "../../../provider/contract/errors";
import { compareNames, formatTableName, parseTableName } from "../../../provider/postgres/catalog/tableNames";
import { firstFew } from "../../../provider/contract/wording";
import { quoteIdentifier, quoteLiteral } from "../../../provider/postgres/sql/quote";

test.each([
  ["public.orders", "public", "orders"],
  ["public.Orders", "public", "Orders"],
  ["My Schema.my table ☂", "My Schema", "my table ☂"],
  ['public."my.table"', "public", "my.table"],
  ['"a.b"."say ""hi"""', "a.b", 'say "hi"'],
  ['"public".orders', "public", "orders"],
])("reads %s literally", (text, schema, name) => {
  expect(parseTableName(text)).toEqual({ schema, name });
});

test.each(["orders", "a.b.c", ".a", "a.", 'a."', 'a."b', 'a."b"c', '"".a', ""])(
  "refuses %p as a table name",
  (text) => {
    expect(() => parseTableName(text)).toThrow(UserError);
  },
);

test("reads a formatted name back as it was", () => {
  const part = fc.string({ minLength: 1 }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(part, part, (schema, name) => {
      expect(parseTableName(formatTableName({ schema, name }))).toEqual({ schema, name });
    }),
  );
});

test("quotes identifiers and literals for SQL", () => {
  expect(quoteIdentifier('a"b')).toBe('"a""b"');
  expect(quoteLiteral("it's")).toBe("'it''s'");
  expect(quoteLiteral("back\\slash'")).toBe(" E'back\\\\slash'''");
});

test("orders names by code units, schema first", () => {
  const names = [
    { schema: "b", name: "a" },
    { schema: "a", name: "b" },
    { schema: "a", name: "B" },
  ];
  expect(names.sort(compareNames).map(formatTableName)).toEqual(["a.B", "a.b", "b.a"]);
});

test("names the first few of a long list and counts the rest", () => {
  expect(firstFew(["a", "b"], 2)).toBe("a, b");
  expect(firstFew(["a", "b", "c", "d"], 2)).toBe("a, b and 2 more");
});
