import type { Catalog, SlotFacts } from "../../../provider/contract/catalog";
import { encodeMark } from "../../../provider/postgres/ownership/mark";
import { describeForeign, planDrop } from "../../../provider/postgres/slot/plan";
import { catalogOf, role } from "../../support/catalog";

const MARK = encodeMark({
  projectId: "cool-darkness-123456",
  branchId: "br-cool-sea-123456",
  database: "neondb",
  managedBy: "shop/dev/orders",
});

function catalogWith(slot: Partial<SlotFacts>, roles = [role("bemi", { comment: MARK })]): Catalog {
  const facts: SlotFacts = {
    name: "bemi",
    plugin: "pgoutput",
    database: "neondb",
    active: false,
    activeRole: null,
    walStatus: "reserved",
    retainedBytes: 3_000_000,
    ...slot,
  };
  return catalogOf({ slots: [facts], roles });
}

function plan(catalog: Catalog, dropOnDestroy = true) {
  return planDrop(catalog, { name: "bemi", role: "bemi", dropOnDestroy }, "neondb");
}

test("drops the slot after every connection of the role, which may not log in again", () => {
  expect(plan(catalogWith({ active: true, activeRole: "bemi" }))).toEqual([
    { step: "disable login", role: "bemi" },
    { step: "drop slot", slot: "bemi", role: "bemi", disconnects: "all connections of the role" },
  ]);
  const noLogin = [role("bemi", { comment: MARK, canLogin: false })];
  expect(plan(catalogWith({}, noLogin))).toEqual([
    { step: "drop slot", slot: "bemi", role: "bemi", disconnects: "all connections of the role" },
  ]);
});

test("disconnects only the consumer of a role that this module did not make", () => {
  expect(plan(catalogWith({ active: true, activeRole: "bemi" }, [role("bemi")]))).toEqual([
    { step: "drop slot", slot: "bemi", role: "bemi", disconnects: "the consumer" },
  ]);
  expect(plan(catalogWith({}, []))).toEqual([
    { step: "drop slot", slot: "bemi", role: "bemi", disconnects: "nobody" },
  ]);
});

test("does nothing about a slot that is gone", () => {
  expect(plan(catalogOf())).toEqual([]);
});

test.each([
  [
    "the inputs say so",
    {},
    false,
    /because dropOnDestroy of ReplicationSlot \(dropSlotOnDestroy of BemiAuditTrail\) is false\. While .* \(3 MB now\)/,
  ],
  ["it is of another database", { database: "other" }, true, /because it belongs to database other/],
  ["it is physical", { database: null }, true, /because it belongs to no database/],
  [
    "another role uses it",
    { active: true, activeRole: "debezium" },
    true,
    /because role debezium uses it, not bemi/,
  ],
] as const)("keeps the slot and says why, if %s", (_, facts, dropOnDestroy, says) => {
  expect(plan(catalogWith(facts), dropOnDestroy)).toEqual([
    { step: "keep slot", slot: "bemi", says: expect.stringMatching(says) as string },
  ]);
});

test.each([
  [
    { database: "other" },
    /^Replication slot bemi exists already and belongs to database other, so the consumer/,
  ],
  [{ database: null }, /is a physical one/],
  [{ plugin: "wal2json" }, /has the plugin wal2json instead of pgoutput/],
  [{ active: true, activeRole: "debezium" }, /is in use by role debezium/],
])("says of a foreign slot that the consumer cannot use it: %j", (facts, says) => {
  const [slot] = catalogWith(facts).slots;
  const lines = slot && describeForeign(slot, { name: "bemi", role: "bemi" }, "neondb");
  expect(lines).toEqual([expect.stringMatching(says)]);
});

test("refuses to drop as a role without REPLICATION, and names the arguments", () => {
  const { server, ...rest } = catalogWith({});
  const catalog = { ...rest, server: { ...server, currentRoleMayReplicate: false } };
  expect(() => plan(catalog)).toThrow(
    /lacks REPLICATION.*dropOnDestroy of ReplicationSlot \(dropSlotOnDestroy of BemiAuditTrail\)/,
  );
});
