import fc from "fast-check";
import type { Catalog } from "../../../provider/contract/catalog";
import { publicationInputs } from "../../../provider/contract/kinds/publication";
import { encodeMark } from "../../../provider/postgres/ownership/mark";
import { formatTableName } from "../../../provider/postgres/catalog/tableNames";
import { select, type Selection } from "../../../provider/postgres/selection/selection";
import { exclusionWarnings } from "../../../provider/postgres/selection/findings";
import { catalogOf, table } from "../../support/catalog";
import { respelled, SCHEMAS, selections, tables } from "./selections";

function selected(catalog: Catalog, selection: Selection): string[] {
  return select(catalog, selection).tables.map(formatTableName);
}

function rejected(catalog: Catalog, selection: Selection): string[] {
  return select(catalog, selection).rejected.map(
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
      comment: encodeMark({ projectId: "p", branchId: "br-1", database: "d", managedBy: "m" }),
    },
  ],
});

test("selects schemas, single tables or all tables, never its own", () => {
  expect(selected(catalog, { schemas: ["public"] })).toEqual(["public.Users", "public.orders"]);
  expect(selected(catalog, { tables: ["shop.items", "public.Users"] })).toEqual([
    "public.Users",
    "shop.items",
  ]);
  expect(selected(catalog, { allTables: true })).toEqual(["public.Users", "public.orders", "shop.items"]);
});

test("leaves out of a schema what cannot be tracked, and names it", () => {
  const { leftOut, rejected: none } = select(catalog, { schemas: ["public", "shop"] });
  expect(leftOut.map((entry) => [formatTableName(entry.table), entry.because])).toEqual([
    ["shop.cache", "unlogged"],
    ["public.spatial_ref_sys", "extension member"],
  ]);
  expect(none).toEqual([]);
});

test("takes partitions with their partitioned table, in whatever schema they are", () => {
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

test("takes the tables that inherit from a named one, as ADD TABLE does, and from an excluded one", () => {
  const parent = table("public.metrics");
  const child = table("chunks.metrics_1", { inheritsFrom: [parent.oid] });
  const heirs = catalogOf({ tables: [parent, child] });
  expect(selected(heirs, { tables: ["public.metrics"] })).toEqual(["chunks.metrics_1", "public.metrics"]);
  expect(selected(heirs, { schemas: ["public"] })).toEqual(["public.metrics"]);
  expect(selected(heirs, { allTables: true, excludeTables: ["public.metrics"] })).toEqual([]);
});

test.each([
  [{ tables: ["public.users"] }, /^public.users is not a table.*Did you mean public.Users\?/],
  [{ tables: ["public.items"] }, /Did you mean shop.items\?/],
  [{ tables: ["public.ordrs"] }, /is not a table.*Did you mean public.orders\?/],
  [{ tables: ["public.reprot"] }, /Did you mean public.report\?/],
  [{ tables: ["_bemi.identify"] }, /Create it first/],
  [{ tables: ["public.nothing"] }, /Create it first/],
  [{ tables: ["public.report"] }, /is a view.*tables it reads from/],
  [{ tables: ["shop.remote"] }, /is a foreign table/],
  [{ tables: ["shop.cache"] }, /is unlogged.*SET LOGGED/],
  [{ tables: ["public.spatial_ref_sys"] }, /belongs to an extension/],
  [{ tables: ["_bemi.identity"] }, /own records/],
  [{ tables: ["orders"] }, /^"orders" is not a table name.*schema\.table/],
  [{ schemas: ["Public"] }, /Did you mean public\?/],
  [{ schemas: ["shp"] }, /is not a schema.*Did you mean shop\?/],
  [{ schemas: ["bemi"] }, /Create it first/],
  [{ schemas: ["pg_catalog"] }, /schema of PostgreSQL itself/],
  [{ schemas: ["_bemi"] }, /own records/],
  [{ allTables: true, excludeTables: ["public.users"] }, /Did you mean public.Users\?/],
] as [Selection, RegExp][])("refuses %j and says what to do", (selection, text) => {
  const lines = rejected(catalog, selection);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(text);
});

test("accepts an exclusion whose table does not exist, and reports it", () => {
  const found = select(catalog, { allTables: true, excludeTables: ["public.items", "public.orders"] });
  expect(found.rejected).toEqual([]);
  expect(found.missing.map(({ subject }) => subject)).toEqual(["public.items"]);
  expect(found.tables.map(formatTableName)).toEqual(["public.Users", "shop.items"]);
});

test("warns of an exclusion without a table, and says what was probably meant", () => {
  const warnings = (selection: Selection): string[] => exclusionWarnings(select(catalog, selection));
  expect(warnings({ allTables: true })).toEqual([]);
  expect(warnings({ allTables: true, excludeTables: ["public.ordrs", "shop.later"] })).toEqual([
    "Warning: public.ordrs is excluded, but there is no such table. Did you mean public.orders?",
    "Warning: shop.later is excluded, but there is no such table. Take it out of excludeTables, unless the table is yet to come.",
  ]);
});

test("a table name without its schema is refused before there is a database", () => {
  const rest = { projectId: "cool-darkness-123456", database: "neondb", managedBy: "shop/dev/orders" };
  for (const [name, fits] of [
    ["orders", false],
    ["public.", false],
    ["a.b.c", false],
    ['public."a.b"', true],
    ["public.Orders", true],
  ] as const) {
    for (const selection of [{ tables: [name] }, { schemas: ["public"], excludeTables: [name] }])
      expect(publicationInputs.safeParse({ ...rest, ...selection }).success).toBe(fits);
  }
  const { error } = publicationInputs.safeParse({ ...rest, tables: ["orders"] });
  expect(error?.issues.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^must be a table name with its schema, such as "public\.orders"/),
  ]);
});

describe("for any tables and any selection of them", () => {
  const cases = tables.chain((all) =>
    fc.record({
      catalog: fc.constant(
        catalogOf({
          tables: all,
          schemas: SCHEMAS.map((name, oid) => ({ oid, name, owner: "neondb_owner", comment: null })),
        }),
      ),
      selection: selections(all),
    }),
  );

  test("never selects an excluded table, nor a partition of one", () => {
    fc.assert(
      fc.property(cases, ({ catalog: any, selection }) => {
        const { tables: found, rejected: refused } = select(any, selection);
        const excluded = any.tables.filter((each) =>
          selection.excludeTables?.includes(formatTableName(each)),
        );
        const oids = new Set(excluded.map(({ oid }) => oid));
        for (const { oid, ancestors } of found) {
          expect(oids).not.toContain(oid);
          expect(ancestors.some((above) => oids.has(above))).toBe(false);
        }
        // What is published with its parent all the same must be refused, never ignored.
        const selectedOids = new Set(found.map(({ oid }) => oid));
        const carried = excluded.filter(({ ancestors }) => ancestors.some((oid) => selectedOids.has(oid)));
        expect(refused.filter(({ message }) => message.includes("cannot be excluded"))).toHaveLength(
          carried.length,
        );
      }),
    );
  });

  test("does not depend on the order and the quoting of names", () => {
    fc.assert(
      fc.property(
        cases.chain((each) => respelled(each.selection).map((again) => ({ ...each, again }))),
        ({ catalog: any, selection, again }) => {
          const first = select(any, selection);
          const second = select(any, again);
          expect(second.tables).toEqual(first.tables);
          expect(second.leftOut).toEqual(first.leftOut);
          expect(second.rejected).toHaveLength(first.rejected.length);
        },
      ),
    );
  });

  test("selects the same tables again when they are named one by one", () => {
    fc.assert(
      fc.property(cases, ({ catalog: any, selection }) => {
        const once = select(any, selection).tables;
        fc.pre(once.length > 0);
        const again = select(any, {
          ...selection,
          schemas: undefined,
          allTables: undefined,
          tables: once.map(formatTableName),
        });
        expect(again.tables).toEqual(once);
      }),
    );
  });
});
