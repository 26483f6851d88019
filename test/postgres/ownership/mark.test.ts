import fc from "fast-check";
import { z } from "zod";
import {
  decodeMark,
  encodeMark,
  madeByResource,
  ownership,
  type Appendix,
  type Mark,
} from "../../../provider/postgres/ownership/mark";

const mine = {
  projectId: "cool-darkness-123456",
  branchId: "br-cool-sea-123456",
  database: 'odd "name"\n☂',
  managedBy: "shop/dev/orders",
};

const PREFIX = "Made by pulumi-neon-bemi; it is removed by pulumi destroy. ";

test("tells from a mark which resource made an object, and on which branch", () => {
  const comment = encodeMark(mine);
  expect(decodeMark(comment)?.mark).toEqual(mine);
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
  encodeMark(mine).slice(0, -2),
])("takes the comment %p for no mark", (comment) => {
  expect(ownership(comment, mine)).toBe("none");
});

test("ignores further lines of a comment", () => {
  expect(decodeMark(`${encodeMark(mine)}\n{"more": 1}`)?.mark).toEqual(mine);
});

test("recognises an object of this resource after a restore gave the branch a new id", () => {
  const comment = encodeMark(mine);
  expect(madeByResource(comment, { ...mine, branchId: "br-new-1" })).toBe(true);
  expect(madeByResource(comment, { ...mine, managedBy: "other" })).toBe(false);
  expect(madeByResource(null, mine)).toBe(false);
});

describe("a mark with an appended value", () => {
  const schema = z.object({ comment: z.string().nullable(), members: z.array(z.number()) });
  type Value = z.infer<typeof schema>;
  const inMark: Appendix<Value> = { place: { property: "before" }, schema };
  const behindMark: Appendix<Value> = { place: "second line", schema };
  const value: Value = { comment: 'by "hand"\n{', members: [1, 2] };

  test("is the text that earlier releases wrote", () => {
    expect(encodeMark(mine, inMark, value)).toBe(
      `${PREFIX}${JSON.stringify(mine).slice(0, -1)},"before":${JSON.stringify(value)}}`,
    );
    expect(encodeMark(mine, behindMark, value)).toBe(
      `${PREFIX}${JSON.stringify(mine)}\n${JSON.stringify(value)}`,
    );
  });

  test("is decoded to what was encoded, whatever the texts in it", () => {
    const text = fc.string({ unit: "grapheme" });
    const marks: fc.Arbitrary<Mark> = fc.record({
      projectId: text,
      branchId: text,
      database: text,
      managedBy: text,
    });
    const values = fc.record({ comment: fc.option(text), members: fc.array(fc.nat()) });
    fc.assert(
      fc.property(marks, values, fc.constantFrom(inMark, behindMark), (mark, appended, appendix) => {
        const comment = encodeMark(mark, appendix, appended);
        expect(decodeMark(comment, appendix)).toEqual({ mark, appended });
        expect(decodeMark(comment)).toEqual({ mark, appended: undefined });
        expect(decodeMark(encodeMark(mark), appendix)).toEqual({ mark, appended: undefined });
      }),
    );
  });

  test.each([
    ["inside the mark", inMark],
    ["behind the mark", behindMark],
  ] as const)("has no value where its shape is another one: %s", (_, { place }) => {
    const other = { place, schema: z.unknown() };
    const comment = encodeMark(mine, other, { members: "many" });
    expect(decodeMark(comment, { place, schema })).toEqual({ mark: mine, appended: undefined });
    expect(decodeMark(`${encodeMark(mine)}\nnot JSON`, { place, schema })?.appended).toBeUndefined();
  });
});
