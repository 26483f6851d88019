import { BlockList } from "node:net";
import fc from "fast-check";
import {
  changedByOthers,
  coveredBy,
  merge,
  missing,
  parseEntries,
  parseEntry,
  remove,
  type IpEntry,
} from "../../provider/neon/ipList";
import { entries, lists } from "./entries";

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
  ])("%s is refused", (written, why) => {
    expect(parseEntry(written)).toMatch(why);
  });

  test("one error names every bad entry, and what means the same counts once", () => {
    expect(() => parseEntries(["nonsense", "203.0.113.7", "10.0.0.1/x"])).toThrow(
      /"nonsense".*"10\.0\.0\.1\/x"/,
    );
    expect(parseEntries(["203.0.113.7", "203.0.113.7/32", " 203.0.113.7"]).map(({ text }) => text)).toEqual([
      "203.0.113.7",
    ]);
  });
});

describe("properties", () => {
  test("the normal form means what was written", () => {
    fc.assert(
      fc.property(entries, (written) => {
        const before = parsed(written);
        const after = parsed(before.text);
        expect(after).toEqual(before);
        expect(before.text).not.toMatch(/[A-Z\s]/);
      }),
    );
  });

  test("an address is inside an entry exactly where Node's BlockList says so", () => {
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

  test("up leaves the list as it was and appends what it lacks; destroy takes exactly that out again", () => {
    fc.assert(
      fc.property(lists, fc.array(entries, { maxLength: 6 }), (list, wanted) => {
        const ours = parseEntries(wanted);
        const added = missing(list, ours).map(({ text }) => text);
        const merged = merge(list, ours);
        expect(merged).toEqual([...list, ...added]);
        expect(missing(merged, ours)).toEqual([]);
        expect(merge(merged, ours)).toEqual(merged);
        expect(remove(merged, added)).toEqual(list);
      }),
    );
  });

  test("whatever others add or reorder meanwhile, removing takes out only as many as we added", () => {
    fc.assert(
      fc.property(lists, fc.array(entries, { maxLength: 4 }), lists, (list, wanted, foreign) => {
        const ours = parseEntries(wanted);
        const added = missing(list, ours).map(({ text }) => text);
        const now = [...foreign, ...merge(list, ours)].reverse();
        const rest = remove(now, added);
        expect(rest).toHaveLength(now.length - added.length);
        expect([...rest, ...added].sort()).toEqual(now.sort());
      }),
    );
  });
});

describe("what others changed between our reading and our writing", () => {
  const read = ["198.51.100.1", "198.51.100.2", "203.0.113.7"];
  const written = ["198.51.100.1", "198.51.100.2", "203.0.113.8"];

  test("is what was seen beside the writing", () => {
    expect(changedByOthers(read, ["198.51.100.1", "203.0.113.7", "192.0.2.9"], written)).toEqual({
      added: ["192.0.2.9"],
      removed: ["198.51.100.2"],
    });
  });

  test.each([
    ["before it", read],
    ["after it", written],
  ])("is nothing where nobody did, whether the look came %s", (_, seen) => {
    expect(changedByOthers(read, seen, written)).toEqual({ added: [], removed: [] });
  });
});

test("an entry within a wider one is added all the same, and recognised", () => {
  const entry = parsed("203.0.113.7");
  expect(merge(["203.0.113.0/24"], [entry])).toEqual(["203.0.113.0/24", "203.0.113.7"]);
  expect(coveredBy(["bogus", "203.0.113.0/24"], entry)?.text).toBe("203.0.113.0/24");
  expect(coveredBy(["203.0.113.7/32"], entry)).toBeUndefined();
});

test("ours is found when Neon rewrote it, and a foreign spelling of it stays where ours is there verbatim", () => {
  expect(remove(["198.51.100.1", "2001:DB8:0::1"], ["2001:db8::1"])).toEqual(["198.51.100.1"]);
  expect(remove(["203.0.113.7/32", "203.0.113.7"], ["203.0.113.7"])).toEqual(["203.0.113.7/32"]);
});
