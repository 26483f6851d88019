import { admitsAddress, type IpRule } from "../../../sandbox/neon/ipAllow";

const open: IpRule = { ips: [], protectedBranchesOnly: false, blockPublicConnections: false };

function admits(ips: string[], address: string): boolean {
  return admitsAddress({ ...open, ips }, false, address);
}

test("an empty list admits everyone", () => {
  expect(admits([], "203.0.113.7")).toBe(true);
  expect(admits([], "2001:db8::1")).toBe(true);
});

test.each([
  ["203.0.113.7", "203.0.113.7", true],
  ["203.0.113.7", "203.0.113.8", false],
  ["203.0.113.0/24", "203.0.113.255", true],
  ["203.0.113.0/24", "203.0.114.0", false],
  ["203.0.113.77/24", "203.0.113.1", true],
  ["203.0.113.5-203.0.113.9", "203.0.113.9", true],
  ["203.0.113.5-203.0.113.9", "203.0.113.10", false],
  ["2001:db8::/32", "2001:db8:1::1", true],
  ["2001:db8::/32", "2001:db9::1", false],
  ["2001:db8::1", "2001:0db8:0:0:0:0:0:1", true],
  ["127.0.0.1", "::ffff:127.0.0.1", true],
])("%s and %s: %s", (entry, address, expected) => {
  expect(admits([entry], address)).toBe(expected);
});

test.each([
  "203.0.113.5 - 203.0.113.9",
  " 203.0.113.7",
  "203.0.113.0/33",
  "203.0.113.0/",
  "203.0.113.9-203.0.113.5",
  "203.0.113.5-2001:db8::1",
  "203.0.113.5-203.0.113.9-203.0.113.10",
  "203.0.113.*",
  "localhost",
  "",
])("the invalid entry %p admits no address, and is still a restriction", (entry) => {
  expect(admits([entry], "203.0.113.7")).toBe(false);
});

test("one entry of several is enough, and IPv4 entries do not admit IPv6", () => {
  expect(admits(["nonsense", "203.0.113.7"], "203.0.113.7")).toBe(true);
  expect(admits(["203.0.113.7"], "2001:db8::1")).toBe(false);
});

test("protected_branches_only restricts protected branches only", () => {
  const rule = { ...open, ips: ["203.0.113.7"], protectedBranchesOnly: true };
  expect(admitsAddress(rule, false, "198.51.100.1")).toBe(true);
  expect(admitsAddress(rule, true, "198.51.100.1")).toBe(false);
});

test("blocked public connections refuse everyone", () => {
  const rule = { ips: ["203.0.113.7"], protectedBranchesOnly: true, blockPublicConnections: true };
  expect(admitsAddress(rule, false, "203.0.113.7")).toBe(false);
  expect(admitsAddress({ ...open, blockPublicConnections: true }, false, "203.0.113.7")).toBe(false);
});
