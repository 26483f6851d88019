import type { CheckFacts, ReadinessFinding, SlotDetails } from "../../report/check/facts";
import { DEFAULT_THRESHOLDS } from "../../report/check/facts";
import { renderPrometheus, renderText } from "../../report/check/render";
import { checkReport, overall, type CheckReport } from "../../report/check/report";

/** A slot whose consumer is connected and has confirmed everything. */
function slot(parts: Partial<SlotDetails> = {}): SlotDetails {
  return {
    database: "neondb",
    plugin: "pgoutput",
    active: true,
    walStatus: "reserved",
    invalidated: null,
    idleSeconds: null,
    retainedBytes: 2_000_000,
    lagBytes: 0,
    role: "bemi",
    address: "203.0.113.7",
    connectedSeconds: 7300,
    silentSeconds: 3,
    senderTimeout: "1min",
    ...parts,
  };
}

function idle(idleSeconds: number | null): SlotDetails {
  return slot({
    active: false,
    idleSeconds,
    role: null,
    address: null,
    connectedSeconds: null,
    silentSeconds: null,
  });
}

/** What is found out about a trail without a fault. */
function facts(parts: Partial<CheckFacts> = {}): CheckFacts {
  return {
    trail: {
      name: "orders",
      projectId: "cool-darkness-123456",
      branch: "main",
      database: "neondb",
      role: "bemi",
      publication: "bemi",
      slot: "bemi",
    },
    readiness: {
      ready: true,
      walLevel: "logical",
      serverVersion: "17.5",
      selected: 18,
      published: 18,
      full: 18,
      keyIdentity: 0,
      slotState: "active",
      newTables: "event trigger",
      branchId: "br-cool-sea-123456",
      branchName: "main",
      branchIsDefault: true,
      endpointId: "ep-cool-sea-123456",
    },
    findings: [],
    slot: slot(),
    login: "accepted",
    drift: [],
    ...parts,
  };
}

function finding(parts: Partial<ReadinessFinding>): ReadinessFinding {
  const texts = { subject: "public.orders", message: "is not well.", remedy: "Mend it." };
  return { severity: "blocking", ofTable: false, writesFail: false, ...texts, ...parts };
}

const drift = (name: CheckFacts["drift"][number]["name"]) => ({
  resource: "orders-role",
  name,
  text: "bemi",
});

const CASES: readonly [what: string, facts: CheckFacts, status: string, codes: readonly string[]][] = [
  ["no fault", facts(), "alive", []],
  ["the consumer is away for 59 minutes", facts({ slot: idle(59 * 60) }), "degraded", ["NB606"]],
  ["the consumer is away for an hour", facts({ slot: idle(60 * 60) }), "dead", ["NB606"]],
  ["nobody knows since when it is away", facts({ slot: idle(null) }), "degraded", ["NB606"]],
  ["the consumer is behind", facts({ slot: slot({ lagBytes: 300e6 }) }), "degraded", ["NB608"]],
  ["the slot will soon be lost", facts({ slot: slot({ walStatus: "unreserved" }) }), "degraded", ["NB607"]],
  ["the slot was invalidated", facts({ slot: slot({ invalidated: "idle_timeout" }) }), "dead", ["NB604"]],
  ["another role holds the slot", facts({ slot: slot({ role: "other" }) }), "dead", ["NB605"]],
  ["its role is hidden from us", facts({ slot: slot({ role: null }) }), "alive", []],
  ["the slot is a physical one", facts({ slot: slot({ database: null }) }), "dead", ["NB605"]],
  [
    "writes of a table fail",
    facts({ findings: [finding({ ofTable: true, writesFail: true })] }),
    "dead",
    ["NB602"],
  ],
  ["a table lacks FULL", facts({ findings: [finding({ ofTable: true })] }), "degraded", ["NB602"]],
  [
    "the trail works with limits",
    facts({ findings: [finding({ severity: "degraded" })] }),
    "degraded",
    ["NB612"],
  ],
  ["a table is left out", facts({ findings: [finding({ severity: "info" })] }), "alive", []],
  ["the role may not connect", facts({ drift: [drift("roleMayNotConnect")] }), "dead", ["NB611"]],
  ["privileges are missing", facts({ drift: [drift("missingPrivileges")] }), "degraded", ["NB611"]],
];

test.each(CASES)("tells dead from degraded: %s", (_, found, status, codes) => {
  const report = checkReport(found, DEFAULT_THRESHOLDS);
  expect({ status: report.status, codes: report.findings.map(({ code }) => code) }).toEqual({
    status,
    codes,
  });
});

test("says when Neon removes a slot without a consumer", () => {
  const said = (seconds: number | null): string =>
    checkReport(facts({ slot: idle(seconds) }), DEFAULT_THRESHOLDS).findings[0]?.message ?? "";
  expect(said(3600 * 10)).toContain("(for 10 hours)");
  expect(said(3600 * 10)).toContain("this one in about 30 hours");
  expect(said(3600 * 50)).toContain("which have passed");
  expect(said(null)).toContain("PostgreSQL before 17 does not say since when");
});

test("the worst trail decides, and dead is worse than unknown", () => {
  const [alive, dead] = [
    checkReport(facts(), DEFAULT_THRESHOLDS),
    checkReport(facts({ slot: undefined }), DEFAULT_THRESHOLDS),
  ];
  const unknown: CheckReport = { status: "unknown", trail: { name: "other" }, reason: "No connection." };
  expect(overall([alive, unknown])).toBe("unknown");
  expect(overall([alive, unknown, dead])).toBe("dead");
  expect(overall([alive])).toBe("alive");
});

test("the text is at most 80 columns wide, and says who reads the slot", () => {
  const text = renderText([checkReport(facts(), DEFAULT_THRESHOLDS)]);
  expect(text).toBe(`orders (cool-darkness-123456, main, neondb): alive
  slot     bemi: active, read by bemi from 203.0.113.7, for 2 hours, last
           message 3 seconds ago (limit 1min), 0 B not confirmed, holds back 2
           MB, wal_status reserved
  tables   18 tables: 18 published, 18 with the whole row before a change; new
           tables: event trigger
  login    as bemi: accepted
`);
});

test("Prometheus gets the status, the findings and the slot, with escaped labels", () => {
  const { trail } = facts();
  const text = renderPrometheus([
    checkReport(facts({ trail: { ...trail, name: 'say "hi"' }, slot: idle(60) }), DEFAULT_THRESHOLDS),
    { status: "unknown", trail: { name: "other" }, reason: "No connection." },
  ]);
  const labels = 'trail="say \\"hi\\"",project="cool-darkness-123456",branch="main",database="neondb"';
  expect(text).toContain(`neon_bemi_status{${labels}} 1\nneon_bemi_status{trail="other"} 3\n`);
  expect(text).toContain(`neon_bemi_finding{${labels},code="NB606",severity="degraded"} 1\n`);
  expect(text).toContain(`neon_bemi_slot_idle_seconds{${labels}} 60\n`);
  expect(text).toContain(`neon_bemi_tables{${labels},state="published"} 18\n`);
  for (const line of text.trim().split("\n")) expect(line).toMatch(/^(# (HELP|TYPE) )?neon_bemi_\w+[{ ]/);
});
