import type { Catalog, TableFacts } from "../../../provider/contract/catalog";
import { tablesToRestore, trackedTables } from "../../../provider/postgres/identity/trackedTables";
import { planMembers, publishedTables } from "../../../provider/postgres/publication/members";
import { encodeMark } from "../../../provider/postgres/ownership/mark";
import { MARK } from "./planInputs";
import { catalogOf, listed, publication, table } from "../../support/catalog";

const PUBLIC = { schemas: ["public"], name: "bemi", trackNewTables: true };
const BEMI = publication("bemi", { generatedColumns: "stored" });
const LISTED = { listedIn: listed("bemi") };
const TRIGGER = ["_bemi_track"];

/** With the publication; of version 18, which has virtual generated columns. */
function database(
  tables: readonly TableFacts[],
  eventTriggers: readonly string[] = [],
  version = 180004,
): Catalog {
  return catalogOf({
    version,
    tables,
    publications: [BEMI],
    eventTriggers: eventTriggers.map((name) => ({
      name,
      enabled: true,
      owner: "neondb_owner",
      comment: encodeMark(MARK),
    })),
  });
}

test("decides which tables are to be FULL, and which may be published", () => {
  const catalog = database([
    table("public.full", { identity: "full" }),
    table("public.keyed"),
    table("public.others", { mayAlter: false, owner: "other" }),
    table("public.unlogged", { persistence: "unlogged" }),
    table("public.virtual", { virtualGenerated: true }),
    table("public.virtual_keyless", { virtualGenerated: true, hasPrimaryKey: false }),
    table("public.virtual_nothing", { virtualGenerated: true, identity: "nothing" }),
  ]);
  expect(
    trackedTables(catalog, PUBLIC).map(({ table: { name }, full, ready, safe }) => [name, full, ready, safe]),
  ).toEqual([
    ["full", true, true, true],
    ["keyed", true, false, true],
    ["others", false, true, true],
    ["virtual", false, true, true],
    ["virtual_keyless", false, false, false],
    ["virtual_nothing", false, false, false],
  ]);
});

test("lists a partitioned table, and only it, when all its partitions are ready", () => {
  const root = table("public.root", { partitioned: true, identity: "full" });
  const leaf = table("public.leaf", { ancestors: [root.oid], identity: "full" });
  const other = table("public.other", { ancestors: [root.oid], hasPrimaryKey: false });
  const ready = { ...other, identity: "full" as const };
  const waiting = planMembers(database([root, leaf, other]), PUBLIC, BEMI);
  expect([waiting.add, waiting.waiting]).toEqual([[], [root]]);
  expect(planMembers(database([root, leaf, ready]), PUBLIC, BEMI).add).toEqual([root]);
  expect(publishedTables(database([root, leaf, other]), PUBLIC, BEMI)[0]?.because).toMatch(
    /its partition other: .*not full yet/,
  );
});

test("takes out a table whose writes would fail; keeps one that is merely not FULL", () => {
  const broken = table("public.broken", { hasPrimaryKey: false, ...LISTED });
  const keyed = table("public.keyed", LISTED);
  const stranger = table("elsewhere.stranger", LISTED);
  const plan = planMembers(database([broken, keyed, stranger]), PUBLIC, BEMI);
  expect(plan.remove).toEqual([stranger, broken]);
  expect(plan.waiting).toEqual([]);
});

test("restores tables that left the publication, or can stay in it with their key", () => {
  const full = { identity: "full" } as const;
  const still = table("elsewhere.still", { ...full, ...LISTED });
  const left = table("elsewhere.left", full);
  const unfit = table("public.unfit", { ...full, virtualGenerated: true, ...LISTED });
  const keyless = table("public.keyless", {
    ...full,
    virtualGenerated: true,
    hasPrimaryKey: false,
    ...LISTED,
  });
  const tracked = table("public.tracked", { ...full, ...LISTED });
  const tables = [still, left, unfit, keyless, tracked];
  const catalog = database(tables);
  const dropped = 99;
  const recorded = [...tables.map(({ oid }) => oid), dropped];
  const restore = tablesToRestore(catalog, trackedTables(catalog, PUBLIC), recorded, "bemi");
  expect(restore).toEqual([left.oid, unfit.oid, dropped]);
});

test("lists what all tables or a schema published, without waiting for FULL, unless its writes fail", () => {
  const tables = [
    table("public.full", { identity: "full", hasPrimaryKey: false }),
    table("public.keyed"),
    table("public.keyless", { hasPrimaryKey: false }),
  ];
  const next = publication("bemi_new", { generatedColumns: "stored" });
  const added = (facts: Parameters<typeof publication>[1]): string[] => {
    const catalog = { ...database(tables), publications: [{ ...BEMI, ...facts }, next] };
    return planMembers(catalog, PUBLIC, next).add.map(({ name }) => name);
  };
  expect(added({})).toEqual(["full"]);
  expect(added({ allTables: true })).toEqual(["full", "keyed"]);
  expect(added({ schemas: ["public"] })).toEqual(["full", "keyed"]);
});

test("lists the partitions of a table without key, with and without event triggers", () => {
  const keyless = { hasPrimaryKey: false, identity: "full" } as const;
  const root = table("public.root", { partitioned: true, ...keyless });
  const leaf = table("public.leaf", { ancestors: [root.oid], ...keyless });
  expect(planMembers(database([root, leaf]), PUBLIC, BEMI).add).toEqual([leaf]);
  expect(planMembers(database([root, leaf], TRIGGER), PUBLIC, BEMI).add).toEqual([leaf]);
  // The way from one to the other: first in, then out, and not before all of them are in.
  const asRoot = { ...root, ...LISTED };
  const over = planMembers(database([asRoot, leaf]), PUBLIC, BEMI);
  expect([over.add, over.remove]).toEqual([[leaf], [asRoot]]);
  const late = table("public.late", { ancestors: [root.oid] });
  expect(planMembers(database([asRoot, leaf, late]), PUBLIC, BEMI).remove).toEqual([]);
  // One that holds no rows yet is as good as published.
  expect(publishedTables(database([root]), PUBLIC, BEMI)).toMatchObject([{ published: true }]);
});
