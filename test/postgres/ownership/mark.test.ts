import fc from "fast-check";
import * as z from "zod";
import {
  decodeMark,
  encodeMark,
  existsAlready,
  identified,
  isAdoptable,
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

describe("with an id in mark and state", () => {
  const state = { ...mine, id: "0123456789abcdef" };
  const renamed = { ...state, managedBy: "store/live/audit", database: "renamed" };
  const elsewhere = { ...mine, id: "fedcba9876543210" };

  test("a renamed stack, project or component is the same resource", () => {
    const comment = encodeMark(state);
    expect(ownership(comment, renamed)).toBe("ours");
    expect(madeByResource(comment, renamed)).toBe(true);
  });

  test("a restored branch keeps its objects, whatever the names", () => {
    const comment = encodeMark({ ...state, branchId: "br-old-1" });
    expect(ownership(comment, renamed)).toBe("ours");
    expect(madeByResource(comment, renamed)).toBe(true);
  });

  test("a copied branch has copies, which a resource without a state may adopt", () => {
    const found = ownership(encodeMark({ ...state, branchId: "br-origin-1" }), mine);
    expect(found).toBe("copy of another branch");
    expect(isAdoptable(found)).toBe(true);
  });

  test("a restored dump has copies from another database, which a resource without a state may adopt", () => {
    const origin = encodeMark({ ...state, database: "shop", databaseOid: 16384 });
    const here = { ...mine, databaseOid: 24576 };
    const found = ownership(origin, here);
    expect(found).toBe("copy of another database");
    expect(isAdoptable(found)).toBe(true);
    expect(existsAlready('Publication "bemi"', found, origin, here)).toBe(
      'Publication "bemi" exists already and came with a dump or a copy of database shop: it was made there by shop/dev/orders. Set adopt: true to take it over, or choose another name.',
    );
    // Another trail of this database, also after somebody has renamed the database.
    expect(ownership(origin, { ...here, databaseOid: 16384 })).toBe("other resource");
    // The resource itself, whose state has the id: its database was restored.
    expect(ownership(origin, { ...state, databaseOid: 24576 })).toBe("ours");
    // A mark of an older release does not say.
    expect(ownership(encodeMark({ ...state, database: "shop" }), here)).toBe("other resource");
  });

  test("two backends with the same names are told apart", () => {
    const comment = encodeMark(elsewhere);
    expect(ownership(comment, state)).toBe("other resource");
    expect(madeByResource(comment, state)).toBe(false);
    expect(existsAlready('Role "bemi"', "other resource", comment, state)).toMatch(
      /another stack of the same name, shop\/dev\/orders/,
    );
  });

  test("the object of another trail on the branch is not adopted, and the message says the way out", () => {
    const comment = encodeMark({ ...elsewhere, managedBy: "shop/prod/orders" });
    expect(ownership(comment, mine)).toBe("other resource");
    expect(isAdoptable("other resource")).toBe(false);
    expect(existsAlready('Publication "bemi"', "other resource", comment)).toBe(
      `Publication "bemi" exists already and was made by shop/prod/orders for database ${mine.database}. ` +
        "It is not adopted from another trail. Choose another name, or destroy that trail first. " +
        'If its stack no longer exists, run COMMENT ON Publication "bemi" IS NULL; and set adopt: true.',
    );
  });

  test.each([
    ["shop/dev/orders-role", "shop/dev/audit-role", "this trail", "orders"],
    ["shop/dev/a/b-publication", "shop/dev/audit-publication", "this trail", "a/b"],
    ["shop/dev/orders", "shop/dev/audit-role", "this resource", "orders"],
    // The stack was renamed before.
    ["shop/test/orders-role", "shop/dev/audit-role", "this trail", "orders"],
  ])("a trail that was only renamed, from %s to %s, gets the alias to set", (before, now, what, name) => {
    const comment = encodeMark({ ...elsewhere, managedBy: before });
    expect(existsAlready('Role "bemi"', "other resource", comment, { ...mine, managedBy: now })).toBe(
      `Role "bemi" exists already and was made by ${before} for database ${mine.database}. ` +
        "It is not adopted from another trail. " +
        `If ${what} was only renamed in the program, change the name back and run up, then rename it with the option { aliases: [{ name: "${name}" }] }. ` +
        "Otherwise choose another name, or destroy that trail first. " +
        'If its stack no longer exists, run COMMENT ON Role "bemi" IS NULL; and set adopt: true.',
    );
  });

  test("nothing is said of a renaming where another project, database or backend made the object", () => {
    for (const other of [
      { managedBy: "store/dev/orders-role" },
      { managedBy: "shop/dev/orders-role", database: "billing" },
      { managedBy: "shop/dev/audit-role" },
    ]) {
      const comment = encodeMark({ ...elsewhere, ...other });
      const expected = { ...state, managedBy: "shop/dev/audit-role" };
      expect(existsAlready('Role "bemi"', "other resource", comment, expected)).not.toContain("renamed");
    }
  });

  test("names decide where the state or the mark has no id", () => {
    for (const [written, expected] of [
      [state, mine],
      [mine, state],
    ] as const) {
      expect(ownership(encodeMark(written), expected)).toBe("ours");
      expect(madeByResource(encodeMark(written), expected)).toBe(true);
      expect(ownership(encodeMark(written), { ...expected, managedBy: "shop/prod/orders" })).toBe(
        "other resource",
      );
    }
  });

  test("the mark to write keeps the state's id, continues with that of an interrupted create, or gets a new one", () => {
    expect(identified(state, encodeMark(elsewhere))).toEqual(state);
    expect(identified(mine, encodeMark(elsewhere))).toEqual(elsewhere);
    for (const comment of [
      null,
      undefined,
      encodeMark(mine),
      encodeMark({ ...elsewhere, branchId: "br-origin-1" }),
      encodeMark({ ...elsewhere, managedBy: "shop/prod/orders" }),
    ]) {
      const { id } = identified(mine, comment);
      expect(id).toMatch(/^[0-9a-f]{16}$/);
      expect(id).not.toBe(elsewhere.id);
      expect(id).not.toBe(identified(mine, comment).id);
    }
  });
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
