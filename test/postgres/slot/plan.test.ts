import type { Catalog, SlotFacts } from "../../../provider/contract/catalog";
import { encodeMark } from "../../../provider/postgres/ownership/mark";
import {
  describeOtherUser,
  existsBefore,
  findUsableSlot,
  planDrop,
  refuseForeignSlot,
  withoutForeignSlots,
} from "../../../provider/postgres/slot/plan";
import { slotState } from "../../../provider/postgres/slot/replicationSlot";
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
    temporary: false,
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
  [{ database: "other" }, "belongs to database other"],
  [{ database: null, plugin: null }, "is a physical one"],
  [{ plugin: "wal2json" }, "has the plugin wal2json instead of pgoutput"],
  [{ temporary: true }, "is a temporary one of another session"],
])("a foreign slot blocks, is not the consumer's, and stays: %j", (facts, because) => {
  const catalog = catalogWith(facts);
  expect(() => {
    refuseForeignSlot(catalog, "bemi", "neondb");
  }).toThrow(`Replication slot "bemi" exists already and ${because}, so the consumer`);
  expect(findUsableSlot(catalog, "bemi", "neondb")).toBeUndefined();
  expect(slotState(catalog, "bemi", "neondb")).toBe("not created yet");
  expect(withoutForeignSlots(catalog, "neondb").slots).toEqual([]);
  expect(existsBefore(catalog, { name: "bemi", role: "bemi" }, "neondb")).toBe(false);
  expect(plan(catalog)).toEqual([
    { step: "keep slot", slot: "bemi", says: expect.stringContaining(`because it ${because}.`) as string },
  ]);
});

test("a slot of the consumer is no obstacle, also when it is lost", () => {
  const catalog = catalogWith({ walStatus: "lost" });
  expect(() => {
    refuseForeignSlot(catalog, "bemi", "neondb");
  }).not.toThrow();
  expect(slotState(catalog, "bemi", "neondb")).toBe("lost");
  expect(plan(catalog)).toHaveLength(2);
});

test("says that another role uses the slot", () => {
  const [slot] = catalogWith({ active: true, activeRole: "debezium" }).slots;
  expect(slot && describeOtherUser(slot, { name: "bemi", role: "bemi" })).toEqual([
    expect.stringMatching(/is in use by role debezium/),
  ]);
});

test("keeps a slot that existed before the trail, although it is to be dropped", () => {
  const state = { name: "bemi", role: "bemi", dropOnDestroy: true };
  expect(existsBefore(catalogOf(), state, "neondb")).toBe(false);
  expect(existsBefore(catalogWith({}), state, "neondb")).toBe(true);
  const streaming = { active: true, activeRole: "bemi" };
  expect(existsBefore(catalogWith(streaming), state, "neondb")).toBe(false);
  expect(existsBefore(catalogWith(streaming, [role("bemi")]), state, "neondb")).toBe(true);
  const forged = [role("bemi", { comment: MARK, makers: ["hostile"] })];
  expect(existsBefore(catalogWith(streaming, forged), state, "neondb")).toBe(true);
  expect(planDrop(catalogWith({}), { ...state, existedBefore: true }, "neondb")).toEqual([
    { step: "keep slot", slot: "bemi", says: expect.stringContaining("because it existed before") as string },
  ]);
});

test("refuses to drop as a role without REPLICATION, and names the arguments", () => {
  const { server, ...rest } = catalogWith({});
  const catalog = { ...rest, server: { ...server, currentRoleMayReplicate: false } };
  expect(() => plan(catalog)).toThrow(
    /lacks REPLICATION.*dropOnDestroy of ReplicationSlot \(dropSlotOnDestroy of BemiAuditTrail\)/,
  );
});
