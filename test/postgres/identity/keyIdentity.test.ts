import type { Catalog, TableFacts } from "../../../provider/contract/catalog";
import { claimed, claimedIdentity, setByTrail } from "../../../provider/postgres/identity/claim";
import { keyFindings } from "../../../provider/postgres/identity/keyFindings";
import { planTables } from "../../../provider/postgres/identity/plan";
import { trackedTables } from "../../../provider/postgres/identity/trackedTables";
import { planMembers } from "../../../provider/postgres/publication/members";
import { check } from "../../../provider/postgres/readiness/readiness";
import { withRecord } from "../../../provider/postgres/record/moduleSchema";
import { decodeRecord, emptyRecord, encodeRecord } from "../../../provider/postgres/record/record";
import { askedIdentity } from "../../../provider/postgres/selection/identityChoice";
import { selectionFindings } from "../../../provider/postgres/selection/findings";
import { select, type Selection } from "../../../provider/postgres/selection/selection";
import { catalogOf, listed, publication, role, table } from "../../support/catalog";
import { TARGET } from "../../support/run";
import type { TrackingArgs } from "../../support/stack";

const BEMI = publication("bemi");
const MARK = {
  projectId: "cool-darkness-123456",
  branchId: "br-cool-sea-123456",
  database: "neondb",
  managedBy: "shop/production/orders",
  id: "0123456789abcdef",
};
const INDEX = { oid: 9, name: "by_id", columns: ["id"] };
const FULL: TrackingArgs = { schemas: ["public"] };
const KEYS: TrackingArgs = { schemas: ["public"], identity: { default: "primaryKey" } };

/** The database with the trail's claim of a selection, as an up has left it. */
function claiming(catalog: Catalog, selection: Selection, before = catalog): Catalog {
  const record = claimed(emptyRecord(5), before, {
    publication: "bemi",
    mark: MARK,
    selection,
    state: undefined,
  });
  return withRecord(catalog, record);
}

const allFull = (tables: readonly TableFacts[]): TableFacts[] =>
  tables.map((each) => ({ ...each, identity: "full", identityIndex: null }));

const named = (findings: readonly { subject: string; message: string }[]): string[] =>
  findings.map(({ subject, message }) => `${subject} ${message}`);

describe("which identity is asked for", () => {
  test("is the default's, or that of the name, quoted or not", () => {
    const [a, odd, other] = [table("public.a"), table("public.x"), table("public.other")];
    const dotted = { ...odd, name: 'my."table"' };
    const asked = askedIdentity(catalogOf({ tables: [a, dotted, other] }), {
      default: "primaryKey",
      tables: { '"public".a': "full", 'public."my.""table"""': "full" },
    });
    expect([a, dotted, other].map(asked)).toEqual(["full", "full", "primaryKey"]);
  });

  test("is that of the nearest partitioned table above a partition, but not of a table it inherits from", () => {
    const root = table("public.root", { partitioned: true });
    const part = table("public.part", { partitioned: true, ancestors: [root.oid] });
    const leaf = table("public.leaf", { ancestors: [part.oid, root.oid] });
    const other = table("public.other", { ancestors: [root.oid] });
    const heir = table("public.heir", { inheritsFrom: [root.oid] });
    const tables = [root, part, leaf, other, heir];
    const asked = askedIdentity(catalogOf({ tables }), {
      tables: { "public.root": "primaryKey", "public.part": "full" },
    });
    expect(tables.map(asked)).toEqual(["primaryKey", "full", "full", "primaryKey", "full"]);
  });
});

test("a table that keeps its key is neither changed nor left out of the publication", () => {
  const tables = [
    table("public.by_index", { identity: "index", identityIndex: INDEX, hasPrimaryKey: false }),
    table("public.keyed"),
    table("public.whole", { identity: "full", hasPrimaryKey: false }),
  ];
  const catalog = catalogOf({ tables, publications: [BEMI] });
  expect(planTables(catalog, { ...KEYS, publication: "bemi", trackNewTables: false }, [])).toMatchObject([
    // The application has set it to FULL.
    { step: "set replica identity full", changing: [] },
  ]);
  expect(planMembers(catalog, { ...KEYS, name: "bemi", trackNewTables: false }, BEMI).add).toEqual(tables);
  expect(keyFindings(catalog, { ...KEYS, publication: "bemi" })).toEqual([]);
});

describe("a table without a key that is asked to keep it", () => {
  const tables = [
    table("public.dropped", { identity: "index" }),
    table("public.keyless", { hasPrimaryKey: false }),
    table("public.nothing", { identity: "nothing" }),
    table("public.parted", { partitioned: true, hasPrimaryKey: false }),
  ];
  const inputs = { ...KEYS, publication: "bemi" };
  const WHY = [
    expect.stringMatching(/^public\.dropped cannot keep its key as replica identity.* an index .* is gone/),
    expect.stringMatching(/^public\.keyless cannot keep its key.* has no primary key that is not deferrable/),
    expect.stringMatching(/^public\.nothing cannot keep its key.* has the replica identity NOTHING/),
  ];

  test("is an obstacle, with the way out", () => {
    const findings = keyFindings(catalogOf({ tables }), inputs);
    expect(named(findings)).toEqual(WHY);
    expect(findings[1]?.remedy).toBe(
      'Give it a primary key, set it to "full" in identity.tables, or put it in excludeTables.',
    );
    expect(findings[2]?.remedy).toMatch(/^Run ALTER TABLE \.\.\. REPLICA IDENTITY DEFAULT/);
    const exempt = Object.fromEntries(
      ["dropped", "keyless", "nothing"].map((name) => [`public.${name}`, "full" as const]),
    );
    const choice = { default: "primaryKey", tables: exempt } as const;
    expect(keyFindings(catalogOf({ tables }), { ...inputs, identity: choice })).toEqual([]);
  });

  test("is one too where the trail has set it to FULL, until an up has asked for the key", () => {
    const full = catalogOf({ tables: allFull(tables) });
    expect(named(keyFindings(claiming(full, FULL, catalogOf({ tables })), inputs))).toEqual(WHY);
    expect(keyFindings(claiming(full, KEYS, catalogOf({ tables })), inputs)).toEqual([]);
  });

  test("gets FULL where it has lost its key since the last up, and Readiness says so", () => {
    const lost = table("public.lost", { hasPrimaryKey: false, listedIn: listed("bemi") });
    const kept = table("public.kept", { listedIn: listed("bemi") });
    const was = catalogOf({ tables: [{ ...lost, hasPrimaryKey: true }, kept] });
    const now = claiming(
      catalogOf({ tables: [lost, kept], publications: [BEMI], roles: [role("bemi", { replication: true })] }),
      KEYS,
      was,
    );
    const trail = { ...TARGET, ...KEYS, publication: "bemi", trackNewTables: false, after: [] };
    const [step] = planTables(now, trail, []);
    expect(step).toMatchObject({ step: "set replica identity full", changing: [lost] });
    const mended = { ...now, tables: [...allFull([lost]), kept] };
    const target = { ...TARGET, branchId: "b", branchName: "main", branchIsDefault: true, endpointId: "e" };
    const session = { target: { ...target, database: { name: "neondb", ownerName: "o" } } };
    const { outputs } = check(session as unknown as Parameters<typeof check>[0], mended, {
      ...trail,
      role: "bemi",
      slot: "bemi",
    });
    expect(outputs).toMatchObject({ ready: true, selected: 2, published: 2, full: 1, keyIdentity: 1 });
    expect(outputs.degraded).toEqual([
      'public.lost has FULL identity, although identity asks for its key: it has no key that can serve. Give it a primary key, set it to "full" in identity.tables, or put it in excludeTables.',
    ]);
  });
});

describe("the record", () => {
  const tables = [
    table("public.by_index", { identity: "index", identityIndex: INDEX, hasPrimaryKey: false }),
    table("public.keyed"),
    table("public.own", { identity: "full" }),
  ];
  const before = catalogOf({ tables });

  test("keeps the argument in its shortest form, and survives being written", () => {
    const choice = (identity: Selection["identity"]) => {
      const { inModuleSchema, ...catalog } = before;
      const record = claimed(
        emptyRecord(5),
        { ...catalog, inModuleSchema },
        {
          publication: "bemi",
          mark: MARK,
          selection: { ...FULL, ...(identity === undefined ? {} : { identity }) },
          state: undefined,
        },
      );
      expect(decodeRecord(encodeRecord(record))).toEqual(record);
      return record.claims[0]?.selections;
    };
    expect(claimedIdentity(claiming(before, KEYS), "bemi")).toEqual({ default: "primaryKey" });
    expect(claimedIdentity(claiming(before, FULL), "bemi")).toBeUndefined();
    expect(choice({ default: "full", tables: {} })).toEqual(choice(undefined));
    expect(choice({ default: "full", tables: { "public.keyed": "full" } })).toEqual(choice(undefined));
    expect(choice({ tables: { '"public".keyed': "primaryKey" } })).toEqual([
      { ...FULL, identity: { tables: { "public.keyed": "primaryKey" } } },
    ]);
  });

  test("gives a table that keeps its key back what it had, where somebody has set it to FULL", () => {
    const full = claiming(catalogOf({ tables: allFull(tables) }), KEYS, before);
    const record = decodeRecord(full.schemas.find(({ name }) => name === "_bemi")?.comment);
    if (record === undefined || record === "unreadable") throw new Error("there is no record");
    const [byIndex, keyed] = tables;
    expect([...setByTrail(record, full, "bemi")]).toEqual([
      [byIndex?.oid, { identity: "index", identityIndex: INDEX }],
      [keyed?.oid, { identity: "default", identityIndex: null }],
    ]);
    // They are given back while they are published, because their key names a row.
    const published = { ...full, publications: [{ ...BEMI, schemas: ["public"] }] };
    const recorded = [...setByTrail(record, published, "bemi").keys()];
    expect(planTables(published, { ...KEYS, publication: "bemi", trackNewTables: false }, recorded)).toEqual([
      { step: "restore replica identity", tables: recorded },
    ]);
  });

  test("lets no trail hold a table at FULL that it asks to keep its key", () => {
    const mine = { publication: "bemi", mark: MARK, selection: FULL, state: undefined };
    const theirs = { publication: "theirs", mark: { ...MARK, id: "fedcba9876543210" }, state: undefined };
    const full = catalogOf({ tables: allFull(tables) });
    const back = (selection: Selection): number => {
      const record = claimed(claimed(emptyRecord(5), before, mine), full, { ...theirs, selection });
      return setByTrail(record, full, "bemi").size;
    };
    expect([back(FULL), back(KEYS)]).toEqual([0, 2]);
  });
});

describe("names in identity.tables", () => {
  const tables = [table("public.orders"), table("public.carts"), table("shop.items")];
  const found = (names: readonly string[]) => {
    const choice = Object.fromEntries(names.map((name) => [name, "primaryKey" as const]));
    const selection = { ...FULL, excludeTables: ["public.carts"], identity: { tables: choice } };
    return selectionFindings(select(catalogOf({ tables }), selection)).map(
      ({ severity, subject, message, remedy }) => `${severity} ${subject} ${message} ${remedy}`,
    );
  };

  test("that no tracked table has are named, with what was probably meant", () => {
    expect(found(["public.orders"])).toEqual([]);
    expect(found(["public.order", "public.zebras", "shop.items", "public.carts"])).toEqual([
      "degraded public.order is named in identity.tables, but there is no such table. Did you mean public.orders?",
      "degraded public.zebras is named in identity.tables, but there is no such table. Take it out of identity.tables, unless the table is yet to come.",
      "degraded shop.items is named in identity.tables, but it is not tracked. Take it out of identity.tables, or select it.",
      "degraded public.carts is named in identity.tables, but it is not tracked. Take it out of identity.tables, or select it.",
    ]);
  });

  test("that differ in nothing but case, or name a table twice, are refused", () => {
    expect(found(["public.Orders"])).toEqual([
      expect.stringMatching(/^blocking .*Did you mean public\.orders\?/),
    ]);
    expect(found(["public.orders", '"public"."orders"'])).toEqual([
      'blocking "public"."orders" is named twice in identity.tables. Keep one of the two entries.',
    ]);
  });
});

test("a table whose trail keeps its key counts as done", () => {
  const catalog = catalogOf({ tables: [table("public.keyed", { mayAlter: false, owner: "other" })] });
  expect(trackedTables(catalog, KEYS)).toMatchObject([
    { full: false, ready: true, safe: true, keyless: false, because: undefined },
  ]);
});
