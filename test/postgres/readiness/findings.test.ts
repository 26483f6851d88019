import {
  describeFindings,
  ownerFinding,
  serverFindings,
} from "../../../provider/postgres/selection/findings";
import { databaseObjectMark, encodeMark } from "../../../provider/postgres/ownership/mark";
import { LOCK_VIEW } from "../../../provider/postgres/record/lines";
import { ownNames } from "../../../provider/postgres/ownership/ownNames";
import { readinessFindings } from "../../../provider/postgres/readiness/findings";
import { check } from "../../../provider/postgres/readiness/readiness";
import { select } from "../../../provider/postgres/selection/selection";
import { publishes } from "../../../provider/postgres/catalog/membership";
import {
  bestOf,
  publishability,
  publishingBreaksWrites,
} from "../../../provider/postgres/catalog/publishability";
import { tablesByOid } from "../../../provider/postgres/catalog/tableIndex";
import { catalogOf, listed, publication, role, slot, table } from "../../support/catalog";
import { TARGET } from "../../support/run";

describe("the best identity of a table", () => {
  const bestIdentity = (...of: Parameters<typeof publishability>) => bestOf(publishability(...of));

  test("is full, unless something rules it out", () => {
    const orders = table("public.orders");
    expect(bestIdentity(orders, catalogOf({ tables: [orders] }))).toEqual({ identity: "full" });
  });

  test("is the key under a column list of any publication, also through a parent", () => {
    const root = table("public.root", { partitioned: true, listedIn: listed("theirs", true) });
    const leaf = table("public.leaf", { ancestors: [root.oid] });
    const bare = table("public.bare", { hasPrimaryKey: false, listedIn: listed("theirs", true) });
    const catalog = catalogOf({ tables: [root, leaf, bare], publications: [publication("theirs")] });
    expect(bestIdentity(leaf, catalog)).toMatchObject({
      identity: "key",
      because: expect.stringContaining("theirs") as string,
    });
    expect(bestIdentity(bare, catalog)).toMatchObject({ identity: "none" });
    const insertsOnly = publication("theirs", { update: false, delete: false });
    expect(bestIdentity(bare, catalogOf({ tables: [bare], publications: [insertsOnly] }))).toEqual({
      identity: "full",
    });
  });

  test("is the key with generated columns that PostgreSQL 18 would leave out", () => {
    const stored = table("public.stored", { storedGenerated: true });
    const virtual = table("public.virtual", { virtualGenerated: true });
    const tables = [stored, virtual];
    const all = (generatedColumns: "none" | "stored" | null) =>
      [publication("theirs", { allTables: true, generatedColumns })] as const;
    const on18 = catalogOf({ version: 180004, tables, publications: all("none") });
    expect(bestIdentity(stored, on18)).toMatchObject({ identity: "key" });
    expect(bestIdentity(virtual, on18)).toMatchObject({ identity: "key" });
    const published = catalogOf({ version: 180004, tables, publications: all("stored") });
    expect(bestIdentity(stored, published)).toEqual({ identity: "full" });
    const on17 = catalogOf({ tables, publications: all(null) });
    expect(bestIdentity(stored, on17)).toEqual({ identity: "full" });
  });
});

test("advises what fits the owner of a table that is out of reach", () => {
  const advice = (owner: string): string[] => {
    const orders = table("public.orders", { owner, mayAlter: false });
    const roles = [
      role("app"),
      role("console", { memberOf: ["neon_superuser"] }),
      role("cloud_admin", { superuser: true }),
    ];
    return describeFindings([ownerFinding(orders, catalogOf({ tables: [orders], roles }))], "blocking");
  };
  expect(advice("app")).toEqual([
    'public.orders is owned by app, whose rights neondb_owner does not have: only its owner can publish a table. Run GRANT "app" TO "neondb_owner", change the table\'s owner, or put it in excludeTables.',
  ]);
  for (const owner of ["console", "cloud_admin"])
    expect(advice(owner)).toEqual([
      expect.stringMatching(new RegExp(`Put it in excludeTables, or delete role ${owner} in Neon`)),
    ]);
});

test("knows that writes fail on a published table without a usable identity", () => {
  const breaks = (facts: Parameters<typeof table>[1]) => publishingBreaksWrites(table("public.t", facts));
  expect(breaks({})).toBe(false);
  expect(breaks({ hasPrimaryKey: false })).toBe(true);
  expect(breaks({ identity: "nothing" })).toBe(true);
  expect(breaks({ identity: "index", identityIndex: null })).toBe(true);
  expect(breaks({ identity: "index", identityIndex: { oid: 1, name: "i", columns: ["id"] } })).toBe(false);
  expect(breaks({ identity: "full", hasPrimaryKey: false })).toBe(false);
  expect(breaks({ partitioned: true, hasPrimaryKey: false })).toBe(false);
});

test("knows what a publication publishes: its list, schemas, partitions, or everything", () => {
  const root = table("public.root", { partitioned: true, listedIn: listed("p") });
  const leaf = table("shop.leaf", { ancestors: [root.oid] });
  const other = table("shop.other");
  const byOid = tablesByOid(catalogOf({ tables: [root, leaf, other] }));
  expect(publishes(publication("p"), leaf, byOid)).toBe(true);
  expect(publishes(publication("p"), other, byOid)).toBe(false);
  expect(publishes(publication("p", { schemas: ["shop"] }), other, byOid)).toBe(true);
  expect(publishes(publication("p", { allTables: true }), other, byOid)).toBe(true);
});

test("finds a server that is too old, in recovery, or without free slots and senders", () => {
  const { server } = catalogOf();
  const slots = Array.from({ length: 10 }, (_, index) => slot(`s${index}`));
  const catalog = catalogOf({
    server: { ...server, version: 130001, inRecovery: true, senders: 10 },
    slots,
  });
  expect(serverFindings(catalog, "bemi").map(({ message }) => message)).toEqual([
    "is too old.",
    "is a read-only replica.",
    expect.stringContaining("no free replication slot") as string,
    expect.stringContaining("no free WAL sender") as string,
  ]);
  const taken = catalogOf({
    server: { ...server, senders: 10 },
    slots: [...slots.slice(1), slot("bemi", true)],
  });
  expect(serverFindings(taken, "bemi")).toEqual([]);
});

describe("readiness", () => {
  const trail = {
    schemas: ["public"],
    role: "bemi",
    publication: "bemi",
    slot: "bemi",
    trackNewTables: false,
  };

  test("names a setting that keeps event triggers from firing, and how to reset it", () => {
    const comment = encodeMark({
      projectId: "cool-darkness-123456",
      branchId: "br-a-b-c",
      database: "neondb",
      managedBy: "shop/production/orders",
    });
    const catalog = catalogOf({
      publications: [publication("bemi")],
      eventTriggers: [{ name: ownNames("bemi").trackTrigger, enabled: true, owner: "neondb_owner", comment }],
    });
    const advice = (role: string | null, database: string | null): string | undefined => {
      const eventTriggersOff = [{ name: "event_triggers", role, database }];
      const server = { ...catalog.server, eventTriggersOff };
      return describeFindings(
        readinessFindings({ ...catalog, server }, { ...trail, trackNewTables: true }, select(catalog, trail)),
        "degraded",
      ).find((line) => line.startsWith("New tables"));
    };
    expect(advice(null, "neondb")).toMatch(
      /event_triggers is off for all roles in database neondb.*Run ALTER DATABASE "neondb" RESET event_triggers/,
    );
    expect(advice("app", "neondb")).toMatch(/Run ALTER ROLE "app" IN DATABASE "neondb" RESET/);
    expect(advice("app", null)).toMatch(/off for role app, so.*Run ALTER ROLE "app" RESET/);
  });

  test("names a child of a tracked table that is not tracked itself", () => {
    const full = { identity: "full", listedIn: listed("bemi") } as const;
    const parent = table("public.metrics", full);
    const child = table("shop.metrics_1", { inheritsFrom: [parent.oid] });
    const catalog = catalogOf({ tables: [parent, child], publications: [publication("bemi")] });
    expect(
      describeFindings(readinessFindings(catalog, trail, select(catalog, trail)), "degraded"),
    ).toContainEqual(
      expect.stringMatching(/^shop\.metrics_1 inherits from public\.metrics and is not tracked/),
    );
  });

  test("an excluded table that is published blocks: its rows are nobody's business", () => {
    const sessions = table("public.sessions", { identity: "full", listedIn: listed("bemi") });
    const catalog = catalogOf({ tables: [sessions], publications: [publication("bemi")] });
    const excluding = { ...trail, excludeTables: ["public.sessions"] };
    expect(
      describeFindings(readinessFindings(catalog, excluding, select(catalog, excluding)), "blocking"),
    ).toContainEqual(
      expect.stringMatching(/^public\.sessions is excluded, but publication bemi publishes it/),
    );
  });

  function findings(parts: Parameters<typeof catalogOf>[0]): string[] {
    const catalog = catalogOf({
      roles: [role("bemi")],
      publications: [publication("bemi")],
      tables: [table("public.orders", { identity: "full", listedIn: listed("bemi") })],
      ...parts,
    });
    return readinessFindings(catalog, trail, select(catalog, trail)).map(
      ({ severity, subject, message }) => `${severity}: ${subject} ${message}`,
    );
  }

  test("finds nothing when everything is as wanted", () => {
    expect(findings({})).toEqual([]);
  });

  const { server } = catalogOf();
  const problems: [Parameters<typeof catalogOf>[0], RegExp][] = [
    [{ server: { ...server, walLevel: "replica" } }, /^blocking: Logical replication is off/],
    [{ roles: [] }, /^blocking: Role bemi does not exist/],
    [
      { roles: [role("bemi", { canLogin: false, mayConnect: false })] },
      /^blocking: .*lacks LOGIN and CONNECT/,
    ],
    [{ roles: [role("bemi", { replication: false })] }, /^blocking: .*lacks REPLICATION/],
    [{ roles: [role("bemi", { validUntil: "2020-01-01T00:00:00Z" })] }, /^blocking: .*expired/],
    [{ roles: [role("bemi", { connectionLimit: 1 })] }, /^degraded: .*may have 1 connections/],
    [{ publications: [] }, /^blocking: Publication bemi does not exist/],
    [{ publications: [publication("bemi", { truncate: false })] }, /^degraded: .*does not publish truncate/],
    [
      { tables: [table("public.orders", { identity: "full" })] },
      /^blocking: public.orders is not in publication/,
    ],
    [
      { tables: [table("public.orders", { hasPrimaryKey: false, listedIn: listed("bemi") })] },
      /^blocking: .*UPDATEs and DELETEs fail/,
    ],
    [
      { tables: [table("public.orders", { listedIn: listed("bemi") })] },
      /^blocking: .*does not have FULL identity yet/,
    ],
    [
      { tables: [table("public.orders", { mayAlter: false, owner: "boss", listedIn: listed("bemi") })] },
      /^blocking: public.orders is owned by boss/,
    ],
    [
      {
        publications: [publication("bemi"), publication("theirs")],
        tables: [table("public.orders", { listedIn: [...listed("bemi"), ...listed("theirs", true)] })],
      },
      /^degraded: .*without the row before/,
    ],
    [
      {
        publications: [publication("bemi"), publication("theirs")],
        tables: [
          table("public.orders", {
            identity: "full",
            listedIn: [...listed("bemi"), ...listed("theirs", true)],
          }),
        ],
      },
      /^blocking: .*has FULL identity and is published with a column list.*fail/,
    ],
    [{ slots: [{ ...slot("bemi"), walStatus: "lost" }] }, /^degraded: Replication slot bemi is lost/],
    [
      { slots: [{ ...slot("bemi"), active: false, retainedBytes: 2e9 }] },
      /^degraded: Replication slot bemi has no consumer, and holds back more than 1 GB/,
    ],
  ];
  test.each(problems.map(([parts, text]) => [text, parts] as const))("reports %s", (text, parts) => {
    const lines = findings(parts);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(text);
  });

  describe("of new tables", () => {
    const session = {
      target: {
        projectId: TARGET.projectId,
        branchId: "br-cool-sea-123456",
        branchName: "main",
        branchIsDefault: true,
        endpointId: "ep-cool-sea-123456",
        host: "localhost",
        database: { name: "neondb", owner: "neondb_owner" },
      },
    };
    const eventTriggers = [ownNames("bemi").trackTrigger].map((name) => ({
      name,
      enabled: true,
      owner: "neondb_owner",
      comment: encodeMark(databaseObjectMark(session, { managedBy: "shop/production/orders" })),
    }));
    const seen = (trackNewTables: boolean, parts: Parameters<typeof catalogOf>[0] = {}) => {
      const tables = [table("public.orders", { identity: "full", listedIn: listed("bemi") })];
      const catalog = catalogOf({
        tables,
        roles: [role("bemi")],
        publications: [publication("bemi")],
        inModuleSchema: [{ kind: "view", name: LOCK_VIEW, owner: "neondb_owner" }],
        ...parts,
      });
      const { outputs } = check(session, catalog, { ...TARGET, ...trail, trackNewTables, after: [] });
      return [outputs.newTables, outputs.degraded.length];
    };

    test("says by what they are tracked, and that event triggers are missing", () => {
      expect(seen(true, { eventTriggers })).toEqual(["event trigger", 0]);
      expect(seen(true)).toEqual(["next up", 1]);
      // Without the view that it locks, it fails.
      expect(seen(true, { eventTriggers, inModuleSchema: [] })).toEqual(["next up", 1]);
      const disabled = eventTriggers.map((trigger) => ({ ...trigger, enabled: false }));
      expect(seen(true, { eventTriggers: disabled })).toEqual(["next up", 1]);
    });

    test("honours trackNewTables: false, also while event triggers are left over", () => {
      expect(seen(false)).toEqual(["next up", 0]);
      expect(seen(false, { eventTriggers })).toEqual(["next up", 0]);
    });
  });

  test("names the arguments that turn logical replication on", () => {
    const catalog = catalogOf({ server: { ...server, walLevel: "replica" } });
    expect(
      describeFindings(readinessFindings(catalog, trail, select(catalog, trail)), "blocking")[0],
    ).toMatch(/Turn it on with LogicalReplication \(logicalReplication: "enable" of BemiAuditTrail\)/);
  });
});
