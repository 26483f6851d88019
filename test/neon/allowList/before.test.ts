import { listBefore, withKilled } from "../../../provider/neon/allowList/before";

const OFFICE = { ips: ["198.51.100.0/24"], protectedBranchesOnly: false };
const inputs = (...ips: string[]) => ({
  projectId: "cool-darkness-123456",
  ips,
  restrictOpenProject: false,
  openRestrictedProject: false,
});

test("records what the list lacked when an entry was first asked for, and keeps that", () => {
  const first = listBefore({ allowedIps: ["203.0.113.7", "198.51.100.0/24"] }, OFFICE, undefined);
  expect(first).toEqual({ ipAllowLacked: ["203.0.113.7"], ipAllowWasOpen: false });
  // The trail has added the first entry, and somebody else the third.
  const later = { ...OFFICE, ips: [...OFFICE.ips, "203.0.113.7", "203.0.113.9"] };
  const state = { allowedIps: ["203.0.113.7", "198.51.100.0/24"], ...first };
  const allowedIps = ["203.0.113.7/32", "203.0.113.8", "203.0.113.9"];
  expect(listBefore({ allowedIps }, later, state).ipAllowLacked).toEqual(["203.0.113.7", "203.0.113.8"]);
  expect(listBefore({ allowedIps: ["203.0.113.9"] }, later, state).ipAllowLacked).toEqual([]);
  expect(listBefore({}, OFFICE, state)).toEqual({ ipAllowLacked: [], ipAllowWasOpen: false });
});

test("records that the list was open, as long as an entry from then is asked for", () => {
  const open = { ips: [], protectedBranchesOnly: false };
  const allowedIps = ["203.0.113.7"];
  const first = listBefore({ allowedIps }, open, undefined);
  expect(first).toEqual({ ipAllowLacked: allowedIps, ipAllowWasOpen: true });
  const state = { allowedIps, ...first };
  expect(listBefore({ allowedIps }, OFFICE, state).ipAllowWasOpen).toBe(true);
  expect(listBefore({ allowedIps: ["198.51.100.0/24"] }, OFFICE, state).ipAllowWasOpen).toBe(false);
});

test("an entry that the list lacked, and that no state has, was added by an up that was killed", () => {
  const none = { added: [], wasOpen: false };
  const list = { ...OFFICE, ips: [...OFFICE.ips, "203.0.113.7"] };
  const wanted = { ...inputs("203.0.113.7", "203.0.113.8", "198.51.100.0/24"), wasOpenBefore: true };
  const lackedBefore = ["203.0.113.7", "203.0.113.8"];
  const killed = { added: ["203.0.113.7"], wasOpen: true };
  // The second one is still lacking, and the third one was there before.
  expect(withKilled(none, { ...wanted, lackedBefore }, [], list)).toEqual(killed);
  expect(withKilled(none, wanted, [], list)).toEqual(none);
  // The state knows it already: added here, or by others.
  expect(
    withKilled({ ...none, added: ["203.0.113.7"] }, { ...wanted, lackedBefore }, [], list).added,
  ).toEqual(["203.0.113.7"]);
  expect(withKilled(none, { ...wanted, lackedBefore }, ["203.0.113.7"], list)).toEqual(none);
});
