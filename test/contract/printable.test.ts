import fc from "fast-check";
import { printable, printableLines } from "../../provider/contract/printable";
import { secret } from "../../provider/contract/secrets";

/** Written out by number, so that this test shares no pattern with the code. */
function isUnprintable(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  const within = (first: number, last: number): boolean => first <= code && code <= last;
  return (
    within(0x00, 0x1f) ||
    within(0x7f, 0x9f) ||
    within(0x200e, 0x200f) ||
    within(0x2028, 0x202e) ||
    within(0x2066, 0x2069) ||
    within(0xd800, 0xdfff) ||
    within(0xe0000, 0xe007f) ||
    [0x061c, 0x200b, 0xfeff].includes(code)
  );
}

test.each([
  ["\u001b[2J\u001b]0;owned\u0007", "\\u{1b}[2J\\u{1b}]0;owned\\u{7}"],
  ["a\r\nb\tc\u0000\u009b1m\u007f", "a\\r\\nb\\tc\\u{0}\\u{9b}1m\\u{7f}"],
  [
    "\u202eevil\u2066\u2069\u200f\u061c\u2028\ufeff",
    "\\u{202e}evil\\u{2066}\\u{2069}\\u{200f}\\u{61c}\\u{2028}\\u{feff}",
  ],
  ["::add-mask::role", "\\u{3a}:add-mask::role"],
  ["  ::error::x", "  \\u{3a}:error::x"],
  ["##[group]x ##vso[task.setvariable]y", "#\\u{23}[group]x #\\u{23}vso[task.setvariable]y"],
  ["<{%fg 99%}>", "<\\u{7b}%fg 99%}>"],
  ["\ud800", "\\u{d800}"],
])("shows what is no text by its code: %j", (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test.each([
  "public.Größe",
  "日本語",
  "🧑‍🚀",
  "a::b",
  "# 1",
  "C:\\temp",
  "{%}",
  "عربى",
  `${"x".repeat(63)} ${"y".repeat(63)}`,
])("leaves ordinary names as they are: %s", (name) => {
  expect(printable(name)).toBe(name);
});

test("leaves no character in any text that a terminal, a CI system or Pulumi would act on", () => {
  const nasty = fc.constantFrom(
    "\u001b[31m",
    "\n",
    "::add-mask::",
    "##[x]",
    "<{%",
    "%}>",
    "\u202e",
    "\u0085",
    "\ud83d",
  );
  const text = fc
    .array(fc.oneof(nasty, fc.string({ unit: "binary" })), { maxLength: 30 })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, (written) => {
      const shown = printable(written);
      expect(Array.from(shown).filter(isUnprintable)).toEqual([]);
      expect(shown).not.toMatch(/<\{%|##\w*\[|^\s*::/);
      expect(printable(shown)).toBe(shown);
    }),
    { numRuns: 2_000 },
  );
});

describe("a long text", () => {
  test("is cut, and says how much of it is missing", () => {
    expect(printable("x".repeat(5_000_000), 10)).toBe(`${"x".repeat(10)} ... (4999990 more characters)`);
    const once = printable("x".repeat(5_000));
    expect(once).toHaveLength(4_000 + " ... (1000 more characters)".length);
    expect(printable(once)).toBe(once);
  });

  test("shows no part of a secret, wherever it is cut", () => {
    const password = secret(`Passw0rd-${"of-the-owner".repeat(3)}`);
    for (let at = 60; at < 4_200; at += 7)
      expect(printable(`${"x".repeat(at)}${password}${"y".repeat(5_000)}`, 100)).not.toContain("Passw0");
  });

  test("takes milliseconds, whatever it consists of", () => {
    const begun = performance.now();
    for (const part of ["a", "a://b:", "##", "::", "<{%", "Bearer ", "\u001b"])
      printable(part.repeat(5_000_000 / part.length));
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});

test("keeps the lines of the module's own messages, and not those inside a name", () => {
  expect(printableLines(["Nothing was changed, because of:", "  - public.a\n::warning::b"])).toBe(
    "Nothing was changed, because of:\n  - public.a\\n::warning::b",
  );
  const many = printableLines(Array.from({ length: 120 }, (_, index) => `line ${index}`));
  expect(many.split("\n")).toHaveLength(101);
  expect(many).toMatch(/\n\.\.\. \(20 more lines\)$/);
});
