import { BlockList } from "node:net";
import fc from "fast-check";
import { parseEntry, type IpEntry } from "../../../provider/contract/fields/ipEntries";
import { coveredBy, parseEntries, remove, textsOnList } from "../../../provider/neon/allowList/list";
import { entries } from "../ipAllow/entries";

function parsed(text: string): IpEntry {
  const entry = parseEntry(text);
  if (typeof entry === "string") throw new Error(`${text} ${entry}`);
  return entry;
}

describe("parseEntry", () => {
  test.each([
    ["203.0.113.7", "203.0.113.7"],
    ["  203.0.113.7 ", "203.0.113.7"],
    ["203.0.113.7/32", "203.0.113.7"],
    ["203.0.113.0/24", "203.0.113.0/24"],
    ["203.0.113.7/24", "203.0.113.0/24"],
    ["2001:db8:ffff::1/32", "2001:db8::/32"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["203.0.113.7 - 203.0.113.9", "203.0.113.7-203.0.113.9"],
    ["203.0.113.7-203.0.113.7", "203.0.113.7"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["2001:db8::/32", "2001:db8::/32"],
    ["::", "::"],
    ["::1/128", "::1"],
    ["::ffff:203.0.113.7", "::ffff:cb00:7107"],
    ["2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff"],
  ])("%s is sent as %s", (written, sent) => {
    expect(parsed(written).text).toBe(sent);
    expect(parsed(sent).text).toBe(sent);
  });

  test.each([
    ["", /not an IPv4/],
    ["example.com", /not an IPv4/],
    ["203.0.113", /not an IPv4/],
    ["203.0.113.256", /not an IPv4/],
    ["203.0.113.07", /not an IPv4/],
    ["fe80::1%eth0", /not an IPv4/],
    ["203.0.113.0/24/8", /not an IPv4/],
    ["203.0.113.0/33", /0 to 32/],
    ["203.0.113.0/", /0 to 32/],
    ["203.0.113.0/08", /0 to 32/],
    ["2001:db8::/129", /0 to 128/],
    ["203.0.113.9-203.0.113.7", /end lies before/],
    ["203.0.113.9-2001:db8::1", /one address family/],
    ["203.0.113.7-", /not a range/],
    ["203.0.113.0/24-203.0.113.9", /not a range/],
  ])("refuses %j and says why", (written, why) => {
    expect(parseEntry(written)).toMatch(why);
  });

  test("names every bad entry in one error, and counts equal ranges once", () => {
    expect(() => parseEntries(["nonsense", "203.0.113.7", "10.0.0.1/x"])).toThrow(
      /"nonsense".*"10\.0\.0\.1\/x"/,
    );
    expect(parseEntries(["203.0.113.7", "203.0.113.7/32", " 203.0.113.7"]).map(({ text }) => text)).toEqual([
      "203.0.113.7",
    ]);
  });
});

describe("properties", () => {
  test("the normal form means the same range as the written text", () => {
    fc.assert(
      fc.property(entries, (written) => {
        const before = parsed(written);
        const after = parsed(before.text);
        expect(after).toEqual(before);
        expect(before.text).not.toMatch(/[A-Z\s]/);
      }),
    );
  });

  test("an entry admits an address exactly if Node's BlockList says so", () => {
    fc.assert(
      fc.property(entries, fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant("203.0.113.3")), (written, address) => {
        const entry = parsed(written);
        const { family, first } = parsed(address);
        const list = new BlockList();
        const type = entry.family === 4 ? "ipv4" : "ipv6";
        const [start = "", prefix] = entry.text.split("/");
        const [from = "", to] = start.split("-");
        if (prefix !== undefined) list.addSubnet(from, Number(prefix), type);
        else if (to !== undefined) list.addRange(from, to, type);
        else list.addAddress(from, type);
        fc.pre(family === entry.family);
        expect(entry.first <= first && first <= entry.last).toBe(list.check(address, type));
      }),
    );
  });
});

test("recognises an entry that a wider entry covers", () => {
  const entry = parsed("203.0.113.7");
  expect(coveredBy(["bogus", "203.0.113.0/24"], entry)?.text).toBe("203.0.113.0/24");
  expect(coveredBy(["203.0.113.7/32"], entry)).toBeUndefined();
});

test("removes an entry that Neon rewrote, and leaves another writer's spelling of it", () => {
  const without = (list: string[], added: string[]) => remove(list, textsOnList(list, added));
  expect(without(["198.51.100.1", "2001:DB8:0::1"], ["2001:db8::1"])).toEqual(["198.51.100.1"]);
  expect(without(["203.0.113.7/32", "203.0.113.7"], ["203.0.113.7"])).toEqual(["203.0.113.7/32"]);
});
