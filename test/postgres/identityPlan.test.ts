import type { Catalog, PublicationFacts, TableFacts } from "../../provider/postgres/catalog";
import { planIdentities, planRestore } from "../../provider/postgres/identityPlan";
import { coverage, planPublication, wantedForm } from "../../provider/postgres/publicationPlan";

const PUBLIC = { schemas: ["public"], name: "bemi" };

test("a table is FULL where it can be, keeps its key where something rules that out, and else stays unpublished", () => {
  const catalog = database([
    table(1, { identity: "full" }),
    table(2),
    table(3, { mayAlter: false, owner: "other" }),
    table(4, { virtualGenerated: true }),
    table(5, { virtualGenerated: true, hasPrimaryKey: false }),
    table(6, { virtualGenerated: true, identity: "nothing" }),
    table(7, { persistence: "unlogged" }),
  ]);
  expect(
    planIdentities(catalog, PUBLIC).map(({ table: { oid }, full, ready, safe }) => [oid, full, ready, safe]),
  ).toEqual([
    [1, true, true, true],
    [2, true, false, true],
    [3, false, true, true],
    [4, false, true, true],
    [5, false, false, false],
    [6, false, false, false],
  ]);
});

test("a partitioned table is listed when all of its partitions are ready, and only it", () => {
  const leaf = table(11, { ancestors: [10], identity: "full" });
  const other = table(12, { ancestors: [10], hasPrimaryKey: false });
  const root = table(10, { partitioned: true, identity: "full" });
  const ready = { ...other, identity: "full" as const };
  const waiting = planPublication(database([root, leaf, other]), PUBLIC, bemi());
  expect([waiting.add, waiting.waiting]).toEqual([[], [root]]);
  expect(planPublication(database([root, leaf, ready]), PUBLIC, bemi()).add).toEqual([root]);
  expect(coverage(database([root, leaf, other]), PUBLIC, bemi())[0]?.because).toMatch(
    /its partition t12: .*not full yet/,
  );
});

test("a table that would refuse its writes is taken out; one that is merely not FULL stays", () => {
  const broken = table(1, { hasPrimaryKey: false, ...listed() });
  const keyed = table(2, listed());
  const stranger = table(3, { schema: "elsewhere", ...listed() });
  const plan = planPublication(database([broken, keyed, stranger]), PUBLIC, bemi());
  expect(plan.remove).toEqual([broken, stranger]);
  expect(plan.waiting).toEqual([]);
});

test("a table gets its identity back when it has left the publication, or can stay in it with its key", () => {
  const still = table(1, { schema: "elsewhere", identity: "full", ...listed() });
  const left = table(2, { schema: "elsewhere", identity: "full" });
  const unfit = table(3, { identity: "full", virtualGenerated: true, ...listed() });
  const keyless = table(4, { identity: "full", virtualGenerated: true, hasPrimaryKey: false, ...listed() });
  const tracked = table(5, { identity: "full", ...listed() });
  const catalog = database([still, left, unfit, keyless, tracked]);
  const restore = planRestore(catalog, planIdentities(catalog, PUBLIC), [1, 2, 3, 4, 5, 99], "bemi");
  expect(restore).toEqual([2, 3, 99]);
});

test("all tables needs both event triggers, every table safe, and nothing excluded", () => {
  const wanted = { name: "bemi", allTables: true as const, trackNewTables: true };
  const both = ["_bemi_identity", "_bemi_publish"];
  const safe = [table(1), table(2, { hasPrimaryKey: false, identity: "full" })];
  const form = (tables: TableFacts[], triggers: string[], asked: object = {}, version = 170_010): string => {
    const catalog = database(tables, triggers);
    return wantedForm({ ...catalog, server: { ...catalog.server, version } }, { ...wanted, ...asked });
  };
  expect(form(safe, both)).toBe("all tables");
  expect(form(safe, ["_bemi_identity"])).toBe("table list");
  expect(form(safe, both, { trackNewTables: false })).toBe("table list");
  expect(form(safe, both, { excludeTables: ["public.t1"] })).toBe("table list");
  expect(form([...safe, table(3, { hasPrimaryKey: false, extensionMember: true })], both)).toBe("table list");
  // A virtual generated column that a migration adds to a table without key would leave no way out.
  expect(form(safe, both, {}, 180_004)).toBe("table list");
});

test("a partitioned table without key is listed by its partitions where no event trigger sees to those to come", () => {
  const root = table(10, { partitioned: true, hasPrimaryKey: false, identity: "full" });
  const leaf = table(11, { ancestors: [10], hasPrimaryKey: false, identity: "full" });
  const triggers = ["_bemi_identity", "_bemi_publish"];
  expect(planPublication(database([root, leaf]), PUBLIC, bemi()).add).toEqual([leaf]);
  expect(planPublication(database([root, leaf], triggers), PUBLIC, bemi()).add).toEqual([root]);
  // The way from one to the other: first in, then out, and not before all of them are in.
  const asRoot = { ...root, ...listed() };
  const over = planPublication(database([asRoot, leaf]), PUBLIC, bemi());
  expect([over.add, over.remove]).toEqual([[leaf], [asRoot]]);
  const late = table(12, { ancestors: [10] });
  expect(planPublication(database([asRoot, leaf, late]), PUBLIC, bemi()).remove).toEqual([]);
  // One that holds no rows yet is as good as published.
  expect(coverage(database([root]), PUBLIC, bemi())).toMatchObject([{ published: true }]);
});

function table(oid: number, facts: Partial<TableFacts> = {}): TableFacts {
  return {
    oid,
    schema: "public",
    name: `t${oid}`,
    owner: "neondb_owner",
    mayAlter: true,
    partitioned: false,
    ancestors: [],
    persistence: "permanent",
    identity: "default",
    identityIndex: null,
    hasPrimaryKey: true,
    extensionMember: false,
    storedGenerated: false,
    virtualGenerated: false,
    rowSecurity: false,
    listedIn: [],
    ...facts,
  };
}

function listed(): Pick<TableFacts, "listedIn"> {
  return { listedIn: [{ publication: "bemi", columnList: false, rowFilter: false }] };
}

function bemi(): PublicationFacts {
  return {
    oid: 900,
    name: "bemi",
    owner: "neondb_owner",
    mayAlter: true,
    allTables: false,
    schemas: [],
    insert: true,
    update: true,
    delete: true,
    truncate: true,
    viaRoot: false,
    generatedColumns: "stored",
    comment: null,
  };
}

function database(tables: readonly TableFacts[], eventTriggers: readonly string[] = []): Catalog {
  return {
    server: {
      version: 180004,
      walLevel: "logical",
      inRecovery: false,
      maxSlots: 10,
      maxSenders: 10,
      senders: 0,
      databaseOid: 5,
      mayCreateInDatabase: true,
      currentRole: "neondb_owner",
      currentRoleIsSuperuser: false,
      currentRoleMayReplicate: true,
      currentRoleMayCreateRoles: true,
    },
    roles: [],
    tables,
    otherRelations: [],
    publications: [bemi()],
    slots: [],
    eventTriggers: eventTriggers.map((name) => ({
      name,
      enabled: true,
      owner: "neondb_owner",
      comment: null,
    })),
    schemas: [{ oid: 2200, name: "public", owner: "neondb_owner", comment: null }],
  };
}
