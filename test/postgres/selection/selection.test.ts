import type { Catalog } from "../../../provider/contract/catalog";
import { formatMark } from "../../../provider/postgres/ownership/mark";
import { formatTableName } from "../../../provider/postgres/catalog/tableNames";
import { select, type Selection } from "../../../provider/postgres/selection/selection";
import { catalogOf, table } from "../../support/catalog";

function selected(catalog: Catalog, wanted: Selection): string[] {
  return select(catalog, wanted).tables.map(formatTableName);
}

function rejected(catalog: Catalog, wanted: Selection): string[] {
  return select(catalog, wanted).rejected.map(
    ({ subject, message, remedy }) => `${subject} ${message} ${remedy}`,
  );
}

const catalog = catalogOf({
  tables: [
    table("public.orders"),
    table("public.Users"),
    table("shop.items"),
    table("shop.cache", { persistence: "unlogged" }),
    table("public.spatial_ref_sys", { extensionMember: true }),
    table("_bemi.identity"),
  ],
  otherRelations: [
    { schema: "public", name: "report", kind: "view" },
    { schema: "shop", name: "remote", kind: "foreign table" },
  ],
  schemas: [
    ...catalogOf().schemas,
    {
      oid: 9,
      name: "_bemi",
      owner: "neondb_owner",
      comment: formatMark({ projectId: "p", branchId: "br-1", database: "d", managedBy: "m" }),
    },
  ],
});

test("schemas, tables, all tables", () => {
  expect(selected(catalog, { schemas: ["public"] })).toEqual(["public.Users", "public.orders"]);
  expect(selected(catalog, { tables: ["shop.items", "public.Users"] })).toEqual([
    "public.Users",
    "shop.items",
  ]);
  expect(selected(catalog, { allTables: true })).toEqual(["public.Users", "public.orders", "shop.items"]);
});

test("what cannot be tracked is left out of a schema, and said", () => {
  const { leftOut, rejected: none } = select(catalog, { schemas: ["public", "shop"] });
  expect(leftOut.map((entry) => [formatTableName(entry.table), entry.because])).toEqual([
    ["shop.cache", "unlogged"],
    ["public.spatial_ref_sys", "extension member"],
  ]);
  expect(none).toEqual([]);
});

test("a partitioned table brings its partitions, wherever they are, and takes them out with it", () => {
  const root = table("public.events", { partitioned: true });
  const middle = table("shop.events_2026", { partitioned: true, ancestors: [root.oid] });
  const leaf = table("shop.events_2026_01", { ancestors: [middle.oid, root.oid] });
  const partitions = catalogOf({ tables: [root, middle, leaf] });
  const all = ["public.events", "shop.events_2026", "shop.events_2026_01"];
  expect(selected(partitions, { schemas: ["public"] })).toEqual(all);
  expect(selected(partitions, { tables: ["shop.events_2026"] })).toEqual(all.slice(1));
  expect(selected(partitions, { allTables: true, excludeTables: ["public.events"] })).toEqual([]);
  expect(rejected(partitions, { schemas: ["public"], excludeTables: ["shop.events_2026_01"] })).toEqual([
    "shop.events_2026_01 cannot be excluded: it is a partition of shop.events_2026, which is tracked with all its partitions. Exclude shop.events_2026 as a whole, or keep the partition.",
  ]);
});

test.each([
  [{ tables: ["public.users"] }, /^public.users is not a table.*Did you mean public.Users\?/],
  [{ tables: ["public.items"] }, /Did you mean shop.items\?/],
  [{ tables: ["public.nothing"] }, /Create it first/],
  [{ tables: ["public.report"] }, /is a view.*tables it reads from/],
  [{ tables: ["shop.remote"] }, /is a foreign table/],
  [{ tables: ["shop.cache"] }, /is unlogged.*SET LOGGED/],
  [{ tables: ["public.spatial_ref_sys"] }, /belongs to an extension/],
  [{ tables: ["_bemi.identity"] }, /own records/],
  [{ tables: ["orders"] }, /^"orders" is not a table name.*schema\.table/],
  [{ schemas: ["Public"] }, /Did you mean public\?/],
  [{ schemas: ["pg_catalog"] }, /schema of PostgreSQL itself/],
  [{ schemas: ["_bemi"] }, /own records/],
  [{ allTables: true, excludeTables: ["public.users"] }, /Did you mean public.Users\?/],
] as [Selection, RegExp][])("%j is refused with a way out", (wanted, text) => {
  const lines = rejected(catalog, wanted);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(text);
});

test("an exclusion whose table is gone does not stand in the way", () => {
  const found = select(catalog, { allTables: true, excludeTables: ["public.items", "public.orders"] });
  expect(found.rejected).toEqual([]);
  expect(found.missingExclusions).toEqual(["public.items"]);
  expect(found.tables.map(formatTableName)).toEqual(["public.Users", "shop.items"]);
});
