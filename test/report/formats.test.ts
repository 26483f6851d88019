import Ajv from "ajv";
import addFormats from "ajv-formats";
import sarifSchema from "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json";
import { renderJson } from "../../report/plan/json";
import { renderMarkdown } from "../../report/plan/markdown";
import { renderSarif } from "../../report/plan/sarif";
import { renderText } from "../../report/plan/text";
import { catalogOf, listed, publication, table } from "../support/catalog";
import { DOCUMENTS, operations, project, reportOf, seen, settings, trail } from "./facts";

/** A new trail of 500 tables with six problems besides three expensive tables: each that a first up can have. */
const LARGE = trail({
  settings: settings({ allowedIps: ["203.0.113.7"], createdBy: "api" }),
  operations: [...operations("create"), { type: "IpAllow", name: "orders-IpAllow", change: "create" }],
  messages: [{ resource: "orders-identity", text: "496 tables get the replica identity FULL" }],
  source: { file: "index.ts", line: 12 },
  seen: seen(
    [
      ...Array.from({ length: 495 }, (_, number) => [table(`public.table_${number}`)] as const),
      ...["documents", "messages", "attachments_of_customers_and_suppliers"].map(
        (name) => [table(`public.${name}`), DOCUMENTS] as const,
      ),
      [table("public.invoices", { owner: "billing", mayAlter: false })],
      [table("public.reports", { hasPrimaryKey: false, listedIn: listed("other", true) })],
    ],
    {
      project: project({ logicalReplication: false }),
      catalog: {
        publications: [publication("other")],
        server: { ...catalogOf().server, walLevel: "replica" },
      },
    },
  ),
});

test("the text of 500 tables with all problems fits on one screen of 80 columns", () => {
  const lines = renderText(reportOf(LARGE)).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines.length - 1).toBeLessThanOrEqual(50);
  expect(lines.join("\n")).toMatch(/BLOCK NB203[^]*WARN {2}NB101[^]*WARN {2}NB201[^]*note/);
  expect(lines.filter((line) => /^ {2}\S.* x\d+$/.test(line)).length).toBeGreaterThanOrEqual(3);
});

describe("Markdown", () => {
  it("has what matters on top and folds the rest, after a hidden marker with a digest", () => {
    const text = renderMarkdown(reportOf(LARGE));
    expect(text).toMatch(/^<!-- neon-bemi plan shop\/production sha256:[0-9a-f]{16} -->\n/);
    const top = text.slice(0, text.indexOf("<details>"));
    expect(top).toContain("NB203 **public.invoices** cannot be tracked");
    expect(top).not.toContain("NB103");
    expect(top.split("\n").length).toBeLessThan(30);
    expect(text.match(/<details>/g)?.length).toBe(text.match(/<\/details>/g)?.length);
    expect(renderMarkdown(reportOf(LARGE))).toBe(text);
    expect(renderMarkdown(reportOf({ ...LARGE, messages: [] })).slice(0, 80)).not.toBe(text.slice(0, 80));
  });

  it("leaves out whole parts beyond GitHub's limit, and says how many", () => {
    const messages = Array.from({ length: 2000 }, (_, number) => ({
      resource: "orders-identity",
      text: `Line ${number} of a preview with very much to say.`,
    }));
    const text = renderMarkdown(reportOf({ ...LARGE, messages }));
    expect(text.length).toBeLessThan(65_536);
    expect(text).toContain("1 part did not fit into this comment. Run `neon-bemi plan` to see everything.");
    expect(text).toContain("NB203 **public.invoices**");
    expect(text.match(/<details>/g)?.length).toBe(text.match(/<\/details>/g)?.length);
  });

  it("takes nothing in a table's name for Markdown, HTML or a mention", () => {
    const name = "<img src=x>|`a` @team [b](c) *d*";
    const facts = { hasPrimaryKey: false, listedIn: listed("other", true) };
    const evil = { ...table("public.x", facts), name };
    const report = reportOf(
      trail({ seen: seen([[evil]], { catalog: { publications: [publication("other")] } }) }),
    );
    const text = renderMarkdown(report);
    expect(text).toContain("public.&lt;img src=x\\>\\|\\`a\\` &#64;team \\[b\\](c) \\*d\\*");
    expect(text).toContain("| `` public.<img src=x>\\|`a` @team [b](c) *d* `` |");
  });
});

test("the JSON is the report, with a version", () => {
  const report = reportOf(LARGE);
  expect(JSON.parse(renderJson(report))).toEqual(JSON.parse(JSON.stringify({ version: 1, ...report })));
});

test("the SARIF fits the schema of SARIF 2.1.0, at the line that declares the trail", () => {
  const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: false });
  addFormats(ajv);
  const text = renderSarif(
    reportOf(LARGE, { exceptions: [{ code: "NB303", reason: "PostgreSQL 15." }] }),
    "0.1.0",
  );
  const log = JSON.parse(text) as { runs: { results: { ruleId: string; suppressions?: object[] }[] }[] };
  // Nothing in it differs between the draft that it names and the one that Ajv knows.
  const { $schema, id, ...schema } = sarifSchema;
  expect([$schema, id].every((uri) => uri.startsWith("http"))).toBe(true);
  ajv.validate(schema, log);
  expect(ajv.errors).toBeNull();
  const results = log.runs[0]?.results ?? [];
  expect(results.find(({ ruleId }) => ruleId === "NB203")).toMatchObject({
    level: "error",
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: "index.ts" }, region: { startLine: 12 } },
        logicalLocations: [{ fullyQualifiedName: "public.invoices" }],
      },
    ],
  });
  expect(results.find(({ ruleId }) => ruleId === "NB303")?.suppressions).toEqual([
    { kind: "external", status: "accepted", justification: "PostgreSQL 15." },
  ]);
});
