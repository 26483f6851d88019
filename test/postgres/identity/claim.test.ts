import type { Catalog } from "../../../provider/contract/catalog";
import {
  claimed,
  changedMeanwhile,
  isRecordLost,
  setByTrail,
  settled,
  strayed,
  unclaimed,
} from "../../../provider/postgres/identity/claim";
import { encodeMark } from "../../../provider/postgres/ownership/mark";
import { emptyRecord, type DatabaseRecord } from "../../../provider/postgres/record/record";
import { catalogOf, listed, publication, table } from "../../support/catalog";

const MARK = {
  projectId: "cool-darkness-123456",
  branchId: "br-cool-sea-123456",
  database: "neondb",
  managedBy: "shop/production/orders",
  id: "0123456789abcdef",
};
const PUBLIC = { schemas: ["public"] };
const FULL = { identity: "full" } as const;
const NOTHING = { identity: "nothing" } as const;

function claim(
  record: DatabaseRecord,
  catalog: Catalog,
  selection: object = PUBLIC,
  { name = "bemi", state }: { name?: string; state?: object } = {},
): DatabaseRecord {
  return claimed(record, catalog, { publication: name, mark: MARK, selection, state });
}

const previous = (record: DatabaseRecord): object[] =>
  record.previous.map(({ name, identity }) => ({ [name]: identity }));

const orders = table("public.orders");
const keyless = table("public.keyless", NOTHING);
const whole = table("public.whole", FULL);
const before = catalogOf({ tables: [orders, keyless, whole, table("shop.carts", FULL)] });
const first = claim(emptyRecord(5), before);
const allFull = (tables = before.tables): Catalog =>
  catalogOf({ tables: tables.map((each) => ({ ...each, ...FULL, identityIndex: null })) });

test("records what is not DEFAULT, and FULL only of tables that nobody has claimed", () => {
  expect(previous(first)).toEqual([{ keyless: "nothing" }, { whole: "full" }]);
  expect(claim(first, allFull())).toEqual(first);
  const wider = claim(first, allFull(), { schemas: ["public", "shop"] });
  expect(previous(wider)).toEqual([{ keyless: "nothing" }, { whole: "full" }, { carts: "full" }]);
});

test("gives back everything that the claim covers, except for what was FULL before", () => {
  expect([...setByTrail(first, allFull(), "bemi")]).toEqual([
    [orders.oid, { identity: "default", identityIndex: null }],
    [keyless.oid, { identity: "nothing", identityIndex: null }],
  ]);
  expect([...setByTrail(first, allFull(), "other")]).toEqual([]);
});

test("keeps a former selection until its tables have been given back", () => {
  const narrower = claim(first, allFull(), { ...PUBLIC, excludeTables: ["public.keyless"] });
  expect(narrower.claims[0]?.selections).toHaveLength(2);
  expect(settled(narrower, allFull(), "bemi")).toEqual(narrower);
  const done = settled(narrower, catalogOf({ tables: [{ ...orders, ...FULL }, keyless, whole] }), "bemi");
  expect(done.claims[0]?.selections).toEqual([{ ...PUBLIC, excludeTables: ["public.keyless"] }]);
  expect(previous(done)).toEqual([{ whole: "full" }]);
});

test("takes over what somebody has set while the table was tracked", () => {
  const now = catalogOf({ tables: [{ ...orders, ...NOTHING }, { ...keyless, identity: "default" }, whole] });
  const after = claim(first, now);
  expect(previous(after)).toEqual([{ orders: "nothing" }, { whole: "full" }]);
  expect(
    changedMeanwhile(first, after, now).map(({ table: { name }, identity }) => [name, identity]),
  ).toEqual([
    ["orders", "nothing"],
    ["keyless", "default"],
  ]);
});

test("leaves a table of two trails to the other one, and keeps what it had before both", () => {
  const both = claim(first, allFull(), PUBLIC, { name: "other" });
  expect(previous(both)).toEqual(previous(first));
  expect([...setByTrail(both, allFull(), "bemi")]).toEqual([]);
  const left = unclaimed(both, allFull(), "bemi");
  expect([...setByTrail(left, allFull(), "other").keys()]).toEqual([orders.oid, keyless.oid]);
  expect(unclaimed(left, allFull(), "other")).toEqual(emptyRecord(5));
});

test("a trail that came with a dump holds its tables only as long as its publication exists", () => {
  const origin = { ...MARK, database: "shop", databaseOid: 4, id: "fedcba9876543210" };
  const copied = claimed(emptyRecord(4), before, {
    publication: "bemi",
    mark: origin,
    selection: PUBLIC,
    state: undefined,
  });
  const both = claim({ ...copied, database: 5 }, allFull(), PUBLIC, { name: "here" });
  const theirs = publication("bemi", { comment: encodeMark(origin) });
  expect([...setByTrail(both, { ...allFull(), publications: [theirs] }, "here")]).toEqual([]);
  expect([...setByTrail(both, allFull(), "here").keys()]).toEqual([orders.oid, keyless.oid]);
});

test("a destroy that was killed at its very end has restored the tables: those still FULL are the user's", () => {
  const record = claim(emptyRecord(5), before, PUBLIC, {
    state: { ...PUBLIC, done: 3, ownershipId: MARK.id },
  });
  expect(previous(record)).toEqual(previous(first));
});

test("what was FULL before a create that failed before its claim, or before an import, stays FULL", () => {
  const state = { ...PUBLIC, done: 1 };
  expect(previous(claim(emptyRecord(5), before, PUBLIC, { state }))).toEqual(previous(first));
});

test("does not take its own FULL for the user's when the record was lost", () => {
  const state = { ...PUBLIC, done: 3, ownershipId: MARK.id };
  expect(previous(claim(emptyRecord(5), allFull(), PUBLIC, { state }))).toEqual([]);
  const publications = [publication("bemi", { comment: encodeMark(MARK) })];
  const tables = [{ ...orders, ...FULL, listedIn: listed("bemi") }, whole];
  expect(previous(claim(emptyRecord(5), catalogOf({ tables, publications })))).toEqual([{ whole: "full" }]);
  // Somebody else's publication proves nothing.
  const theirs = publications.map((each) => ({ ...each, owner: "mallory" }));
  expect(previous(claim(emptyRecord(5), catalogOf({ tables, publications: theirs })))).toEqual([
    { orders: "full" },
    { whole: "full" },
  ]);
});

test("takes FULL for the user's when the resource was imported, and no up has changed anything yet", () => {
  const imported = { ...PUBLIC, done: 3 };
  expect(isRecordLost(emptyRecord(5), allFull(), "bemi", imported)).toBe(false);
  const record = claim(emptyRecord(5), allFull(), PUBLIC, { state: imported });
  expect(previous(record)).toEqual([{ orders: "full" }, { keyless: "full" }, { whole: "full" }]);
  expect([...setByTrail(record, allFull(), "bemi")]).toEqual([]);
});

test("finds a published table again that has left every selection by its new name", () => {
  const publications = [publication("bemi", { comment: encodeMark(MARK) })];
  const moved = { ...orders, ...FULL, schema: "archive", listedIn: listed("bemi") };
  const catalog = catalogOf({ tables: [moved, whole], publications });
  expect(strayed(first, catalog, "bemi", [PUBLIC])).toEqual([orders.oid]);
  expect([...setByTrail(first, catalog, "bemi", [orders.oid]).keys()]).toEqual([orders.oid]);
  // Without a claim, FULL is not this module's doing.
  expect(strayed(emptyRecord(5), catalog, "bemi", [PUBLIC])).toEqual([]);
});
