import type { TableFacts } from "../../provider/contract/catalog";
import { claimed } from "../../provider/postgres/identity/claim";
import { withRecord } from "../../provider/postgres/record/moduleSchema";
import { emptyRecord } from "../../provider/postgres/record/record";
import type { Selection } from "../../provider/postgres/selection/selection";
import type { Seen, TrailFacts } from "../../report/plan/facts";
import type { PlanReport } from "../../report/plan/report";
import { catalogOf, listed, publication, table } from "../support/catalog";
import { DOCUMENTS, operations, project, reportOf, seen, seenTracked, settings, trail } from "./facts";

function headlineOf(facts: TrailFacts): string {
  return reportOf(facts).trails[0]?.headline ?? "";
}

function codesOf({ trails }: PlanReport): string[] {
  return trails.flatMap(({ findings }) => findings.map(({ code, severity }) => `${severity} ${code}`));
}

const ORDERS = table("public.orders");
const DRIFT = { resource: "orders-publication", name: "notPublished", text: "public.orders" } as const;

const FULL_MEMBER = { identity: "full", listedIn: listed("bemi") } as const;
const KEEPING: Selection = {
  schemas: ["public"],
  identity: { tables: { "public.documents": "primaryKey" } },
};

/** What is seen of tables that the trail has set to FULL. */
function trackedBefore(...tables: Parameters<typeof seen>[0]): Seen {
  const found = seen(tables, { catalog: { publications: [publication("bemi")] } });
  const before = found.catalog.tables.map((each) => ({ ...each, identity: "default" as const }));
  const mark = { projectId: "p", branchId: "b", database: "neondb", managedBy: "shop/x/y", id: "i" };
  const record = claimed(
    emptyRecord(5),
    { ...found.catalog, publications: [], tables: before },
    { publication: "bemi", mark, selection: { schemas: ["public"] }, state: undefined },
  );
  return { ...found, catalog: withRecord(found.catalog, record) };
}

const OFF = { ...catalogOf().server, walLevel: "replica" };

const HEADLINES: readonly [what: string, facts: TrailFacts, headline: string][] = [
  [
    "a new trail on a project without logical replication",
    trail({
      seen: seen([[ORDERS], [table("public.documents"), DOCUMENTS]], {
        project: project({ logicalReplication: false }),
      }),
    }),
    "2 tables get the whole row before each change; +954 MB WAL a day (x85); the compute no longer sleeps while Bemi is connected; one restart, which cannot be undone",
  ],
  [
    "tables whose rows are narrow",
    trail({ seen: seen([[ORDERS]]) }),
    "1 table gets the whole row before each change; hardly any more WAL; the compute no longer sleeps while Bemi is connected",
  ],
  [
    "statistics of an hour",
    trail({ seen: { ...seen([[ORDERS]]), statistics: { windowSeconds: 3600 * 3, tables: new Map() } } }),
    "1 table gets the whole row before each change; its cost is unknown (statistics of 3 hours); the compute no longer sleeps while Bemi is connected",
  ],
  [
    "a table with documents that keeps its key",
    trail({
      settings: settings({ selection: KEEPING }),
      seen: seen([[ORDERS], [table("public.documents"), DOCUMENTS]]),
    }),
    "1 table gets the whole row before each change; 2 tables join the publication; hardly any more WAL; the compute no longer sleeps while Bemi is connected",
  ],
  [
    "a table with documents that is to keep its key from now on",
    trail({
      settings: settings({ selection: KEEPING }),
      operations: operations("update"),
      seen: trackedBefore([table("public.documents", FULL_MEMBER), DOCUMENTS]),
    }),
    "1 table keeps only the key of the row before each change; -954 MB WAL a day",
  ],
  [
    "a trail that is as it should be",
    trail({ operations: operations("none"), seen: seenTracked([ORDERS, table("public.notes")]) }),
    "nothing changes: 2 tables are tracked",
  ],
  [
    "drift",
    trail({
      operations: operations("none").map((each) =>
        each.type === "Publication" ? { ...each, change: "update" } : each,
      ),
      drift: [DRIFT],
      seen: seen([[{ ...ORDERS, identity: "full" }]], { catalog: { publications: [publication("bemi")] } }),
    }),
    "1 table joins the publication; 1 change since the last up is repaired",
  ],
  [
    "a trail that is removed",
    trail({ operations: operations("delete"), seen: seenTracked([ORDERS]) }),
    "the trail is removed, and what it changed is put back",
  ],
  [
    "a preview that failed",
    trail({ failures: [{ resource: "orders-replication", text: "The key is wrong." }] }),
    "the preview fails, so an up changes nothing before that is mended",
  ],
];

test("advises a table with a key to keep it where FULL is expensive, and shows what it comes to", () => {
  const advice = (facts: Partial<TableFacts>): string[] => {
    const report = reportOf(trail({ seen: seen([[table("public.documents", facts), DOCUMENTS]]) }));
    return (report.trails[0]?.findings ?? []).flatMap(({ code, remedy }) =>
      code === "NB201" ? [remedy] : [],
    );
  };
  expect(advice({})).toEqual([expect.stringMatching(/^Set it to "primaryKey" in identity\.tables if/)]);
  expect(advice({ hasPrimaryKey: false })).toEqual([expect.stringMatching(/^Put it in excludeTables if/)]);
  const kept = reportOf(
    trail({
      settings: settings({ selection: KEEPING }),
      operations: operations("update"),
      seen: trackedBefore([table("public.documents", FULL_MEMBER), DOCUMENTS]),
    }),
  );
  expect(kept.trails[0]?.tables).toMatchObject([
    {
      identityNow: "FULL",
      identityThen: "DEFAULT",
      verdict: "keeps key",
      lock: expect.stringMatching(/^ACCESS EXCLUSIVE/) as string,
    },
  ]);
});

test.each(HEADLINES)("says in one sentence what happens: %s", (_, facts, expected) => {
  expect(headlineOf(facts)).toBe(expected);
});

const column = listed("other", true);

/** What is seen or declared, and the findings besides those of every new trail. */
const FINDINGS: readonly [what: string, facts: TrailFacts, codes: readonly string[]][] = [
  [
    "logical replication is off",
    trail({
      seen: seen([[ORDERS]], { project: project({ logicalReplication: false }), catalog: { server: OFF } }),
    }),
    ["warn NB101", "warn NB102"],
  ],
  ["a table is expensive", trail({ seen: seen([[ORDERS, DOCUMENTS]]) }), ["warn NB201"]],
  [
    "a table with documents keeps its key",
    trail({
      settings: settings({ selection: KEEPING }),
      seen: seen([[table("public.documents"), DOCUMENTS]]),
    }),
    ["note NB208"],
  ],
  [
    "a table is asked to keep its key, and has none",
    trail({
      settings: settings({ selection: KEEPING }),
      seen: seen([[table("public.documents", { hasPrimaryKey: false }), DOCUMENTS]]),
    }),
    ["block NB203"],
  ],
  [
    "identity names a table that does not exist",
    trail({ settings: settings({ selection: KEEPING }), seen: seen([[ORDERS]]) }),
    ["warn NB205"],
  ],
  [
    "a column list rules FULL out",
    trail({
      seen: seen([[{ ...ORDERS, listedIn: column }]], { catalog: { publications: [publication("other")] } }),
    }),
    ["warn NB202"],
  ],
  [
    "a column list rules FULL out, and the table has no key",
    trail({
      seen: seen([[{ ...ORDERS, hasPrimaryKey: false, listedIn: column }]], {
        catalog: { publications: [publication("other")] },
      }),
    }),
    ["warn NB202"],
  ],
  [
    "a table belongs to another role",
    trail({ seen: seen([[{ ...ORDERS, owner: "boss", mayAlter: false }]]) }),
    ["block NB203"],
  ],
  [
    "a table does not exist",
    trail({ settings: settings({ selection: { tables: ["public.order"] } }), seen: seen([[ORDERS]]) }),
    ["block NB203", "warn NB205"],
  ],
  [
    "a table is unlogged",
    trail({ seen: seen([[ORDERS], [table("public.cache", { persistence: "unlogged" })]]) }),
    ["note NB204"],
  ],
  [
    "the server is too old",
    trail({ seen: seen([[ORDERS]], { catalog: { server: { ...catalogOf().server, version: 130010 } } }) }),
    ["block NB206"],
  ],
  [
    "the statistics are young",
    trail({ seen: { ...seen([[ORDERS]]), statistics: { windowSeconds: 60, tables: new Map() } } }),
    ["note NB207"],
  ],
  [
    "the IP Allow list is empty",
    trail({
      settings: settings({ allowedIps: ["203.0.113.7"], restrictOpenProject: true }),
      operations: [...operations("create"), { type: "IpAllow", name: "orders-ip-allow", change: "create" }],
      seen: seen([[ORDERS]]),
    }),
    ["warn NB302"],
  ],
  [
    "the role can write",
    trail({ settings: settings({ createdBy: "api" }), seen: seen([[ORDERS]]) }),
    ["warn NB303"],
  ],
  ["the database was not looked at", trail(), ["warn NB502"]],
  [
    "the branch is only made by this up",
    trail({ settings: settings({ copyAs: "pr-7" }), seen: seen([[ORDERS]]) }),
    ["note NB503"],
  ],
];

test.each(FINDINGS)("finds what a reviewer should know: %s", (_, facts, expected) => {
  const always = "notSeen" in facts.seen ? [] : ["note NB103", "note NB402"];
  expect(codesOf(reportOf(facts)).sort()).toEqual([...always, ...expected].sort());
});

test("finds that removing the last entries opens the project, and names what is removed", () => {
  const list = { type: "IpAllow", name: "orders-ip-allow", change: "delete" } as const;
  const report = reportOf(
    trail({
      settings: settings({ allowedIps: ["203.0.113.7"] }),
      operations: [...operations("none"), list],
      seen: {
        ...seenTracked([ORDERS]),
        project: project({ allowedIps: { ips: ["203.0.113.7"], protectedBranchesOnly: false } }),
      },
    }),
  );
  expect(codesOf(report)).toEqual(["warn NB403", "warn NB301"]);
});

describe("the verdict", () => {
  const expensive = trail({ seen: seen([[ORDERS, DOCUMENTS]]) });

  it("is clean, has warnings, or is blocked", () => {
    const tracked = trail({ operations: operations("none"), seen: seenTracked([ORDERS]) });
    expect(reportOf(tracked).verdict).toBe("clean");
    expect(reportOf(expensive).verdict).toBe("warnings");
    const failed = trail({ failures: [{ resource: "orders-role", text: "The key is wrong." }] });
    expect(reportOf(failed).verdict).toBe("blocked");
  });

  it("does not count what is accepted with a reason, and names exceptions that nothing needs", () => {
    const report = reportOf(expensive, {
      exceptions: [
        { code: "NB201", subject: "public.orders", reason: "The history of orders is worth it." },
        { code: "NB201", subject: "public.gone", reason: "It was large." },
        { code: "NB303", reason: "PostgreSQL 15." },
      ],
    });
    expect(report.verdict).toBe("clean");
    expect(report.trails[0]?.findings.find(({ code }) => code === "NB201")).toMatchObject({
      accepted: "The history of orders is worth it.",
    });
    expect(report.unusedExceptions).toEqual(["NB201 public.gone", "NB303"]);
  });
});

test("lists the first 20 tables, the worst first, and counts the others", () => {
  const many = Array.from({ length: 30 }, (_, number) => table(`public.t${number}`));
  const foreign = table("public.foreign", { owner: "boss", mayAlter: false });
  const documents = table("public.documents");
  const [report] = reportOf(
    trail({ seen: seen([...many.map((each) => [each] as const), [documents, DOCUMENTS], [foreign]]) }),
  ).trails;
  expect(report?.tables.slice(0, 3).map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
    "public.foreign blocked",
    "public.documents expensive",
    "public.t0 changes",
  ]);
  expect(report?.tables).toHaveLength(20);
  expect(report?.otherTables).toMatchObject({ count: 12, changing: 12 });
});

test("mentions money only with a price", () => {
  const facts = trail({ seen: seen([[ORDERS, DOCUMENTS]]) });
  expect(reportOf(facts).trails[0]?.costPerMonth).toBeUndefined();
  const [report] = reportOf(facts, { pricePerGb: 0.2 }).trails;
  const { now = 0, then = 0 } = report?.wal ?? {};
  expect(report?.costPerMonth).toBeCloseTo(((then - now) / 1e9) * 30 * 0.2);
});
