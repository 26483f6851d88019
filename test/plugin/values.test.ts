import fc from "fast-check";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import {
  decode,
  differences,
  encode,
  hasUnknown,
  isUnknown,
  textsIn,
  UNKNOWN,
} from "../../provider/plugin/values";

/** Values as programs give them: JSON without null, which the wire does not tell from undefined. */
const values = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,8}$/),
  fc.oneof(
    fc.string(),
    fc.boolean(),
    fc.integer(),
    fc.array(fc.string(), { maxLength: 4 }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.string(), { maxKeys: 3 }),
  ),
  { maxKeys: 6 },
);

const SECRET = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };
const OUTPUT = { "4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4" };

test("values and their secrets survive the wire", () => {
  fc.assert(
    fc.property(values, fc.array(fc.stringMatching(/^[a-z]{1,8}$/)), (given, keys) => {
      const secrets = new Set(keys.filter((key) => key in given));
      const { values: back, secrets: found } = decode(encode(given, secrets));
      expect(back).toEqual(given);
      expect([...found].sort()).toEqual([...secrets].sort());
    }),
  );
});

test("a secret at any depth makes its property secret", () => {
  const struct = Struct.fromJavaScript({ role: { name: { ...SECRET, value: "bemi" } }, list: ["a"] });
  const { values: plain, secrets } = decode(struct);
  expect(plain).toEqual({ role: { name: "bemi" }, list: ["a"] });
  expect([...secrets]).toEqual(["role"]);
});

test("an output without a value is unknown, and a secret one is secret", () => {
  const { values: plain, secrets } = decode(
    Struct.fromJavaScript({
      branch: { ...OUTPUT },
      database: { ...OUTPUT, value: "neondb", secret: true },
    }),
  );
  expect(plain).toEqual({ branch: UNKNOWN, database: "neondb" });
  expect([...secrets]).toEqual(["database"]);
});

test("what the program left undefined is dropped", () => {
  expect(decode(Struct.fromJavaScript({ branch: null, tables: ["a.b"] })).values).toEqual({
    tables: ["a.b"],
  });
  expect(decode(encode({ branch: undefined, tables: ["a.b"] })).values).toEqual({ tables: ["a.b"] });
});

test("equal values have no differences, and changed ones name the changed path", () => {
  fc.assert(
    fc.property(values, (given) => {
      expect([...differences(given, structuredClone(given))]).toEqual([]);
    }),
  );
  expect([
    ...differences({ a: 1, b: ["x"], c: { d: "e" } }, { b: ["x", "y"], c: { d: "f" }, g: true }),
  ]).toEqual([
    ["a", "delete"],
    ["b[1]", "add"],
    ["c.d", "update"],
    ["g", "add"],
  ]);
});

test("unknown values are found at any depth, and are no texts", () => {
  const given = { role: UNKNOWN, tables: ["a.b", UNKNOWN], database: "neondb", port: 5432 };
  expect(Object.entries(given).map(([name, value]) => [name, isUnknown(value), hasUnknown(value)])).toEqual([
    ["role", true, true],
    ["tables", false, true],
    ["database", false, false],
    ["port", false, false],
  ]);
  expect(textsIn(given)).toEqual(["a.b", "neondb"]);
});

test("the texts of secrets are known, wherever they stand", () => {
  const given = { role: { ...SECRET, value: { name: "bemi", tags: ["a", UNKNOWN] } }, tables: ["b"] };
  expect(decode(Struct.fromJavaScript(given)).secretTexts).toEqual(["bemi", "a"]);
});
