import type { Sandbox } from "../../sandbox/sandbox";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf } from "../support/cli";
import { expectCareful, readRequestLog } from "../support/requestLog";
import { runSql } from "../support/postgres";
import { testSandbox } from "../support/sandbox";

/** Two accounts of Neon's, each with its own API, key and project. */
let sandboxes: readonly [Sandbox, Sandbox];

beforeAll(async () => {
  sandboxes = await Promise.all([testSandbox(), testSandbox()]);
});

afterAll(async () => {
  for (const sandbox of sandboxes) {
    expectCareful(readRequestLog(sandbox.info.requestLog));
    await sandbox.stop();
  }
});

function facts({ info }: Sandbox): Promise<Fact[]> {
  return withClient({ connectionString: info.superuserUri }, catalogFacts);
}

/** A trail with an explicit provider, which gets the key as a plain value. */
function withProvider(name: string, { info }: Sandbox): string {
  const { apiUrl, apiKey, sslRootCert, projectId, database } = info;
  return `
    const ${name} = new neon.Provider("${name}", ${JSON.stringify({ apiUrl, apiKey, sslRootCert })});
    new neon.BemiAuditTrail("${name}-trail",
      ${JSON.stringify({ projectId, database, dropSlotOnDestroy: true })}, { provider: ${name} });`;
}

test("two providers serve two accounts in one program, and neither key is readable in the state", async () => {
  const [first, second] = sandboxes;
  const before = await Promise.all(sandboxes.map(facts));
  const cli = await Cli.ofProgram(
    {},
    `const neon = require("pulumi-neon-bemi");
    ${withProvider("first", first)}
    ${withProvider("second", second)}`,
  );
  try {
    expect(await cli.must(["up", "--yes", "--skip-preview"])).toMatch(/\+ 19 created/);
    const state = await cli.state();
    for (const { info } of sandboxes) {
      expect(state).toContain(info.projectId);
      // Not as an assertion on the text, which would print all of it.
      expect(state.includes(info.apiKey)).toBe(false);
      const requests = readRequestLog(info.requestLog).map(({ path }) => path);
      const others = sandboxes.map((other) => other.info.projectId).filter((id) => id !== info.projectId);
      expect(requests.filter((path) => others.some((id) => path.includes(id)))).toEqual([]);
    }
    const preview = await cli.must(["preview", "--json"]);
    for (const { info } of sandboxes) expect(preview.includes(info.apiKey)).toBe(false);
    expect(JSON.parse(preview)).toMatchObject({ changeSummary: { same: 19 } });
    await cli.must(["destroy", "--yes", "--skip-preview"]);
    const after = await Promise.all(sandboxes.map(facts));
    expect(sandboxes.flatMap((_, n) => compareFacts(before[n] ?? [], after[n] ?? []))).toEqual([]);
  } finally {
    await cli.remove();
  }
});

/** The inputs of an imported resource in the state: what `pulumi import` prints as a program. */
function importedInputs(state: string, type: string): Record<string, unknown> {
  const { deployment } = JSON.parse(state) as {
    deployment: { resources: { type: string; inputs?: Record<string, unknown> }[] };
  };
  const inputs = deployment.resources.find((resource) => resource.type === type)?.inputs ?? {};
  // The resource's own name in the mark is no argument; the check derives it.
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => key !== "managedBy"));
}

test("a publication made by hand is imported; the first preview shows only its adoption", async () => {
  const [sandbox] = sandboxes;
  const { superuserUri, projectId, branchName, database } = sandbox.info;
  await runSql(
    superuserUri,
    "SET ROLE neondb_owner; CREATE PUBLICATION bemi FOR TABLE public.orders, public.customers",
  );
  const before = await facts(sandbox);
  const cli = await Cli.ofProgram(environmentOf(sandbox.info), "");
  const type = "neon-bemi:index:Publication";
  try {
    const id = `${projectId}/${branchName}/${database}/bemi`;
    // Not every language host can print the program.
    await cli.must(["import", type, "trail", id, "--yes", "--protect=false", "--generate-code=false"]);
    const args = importedInputs(await cli.state(), type);
    expect(args).toEqual({
      projectId,
      branch: branchName,
      database,
      name: "bemi",
      tables: ["public.customers", "public.orders"],
      trackNewTables: true,
      adopt: true,
    });
    await cli.program(
      `const neon = require("pulumi-neon-bemi");\nnew neon.Publication("trail", ${JSON.stringify(args)});`,
    );
    const preview = await cli.must(["preview", "--diff"]);
    expect(preview).toMatch(
      /\(update\)\n.*\n.*\n +- publicationOwner: ".*"\nThe publication bemi is adopted; .*\nResources:\n +~ 1 to update\n +1 unchanged\n/,
    );
    expect(compareFacts(before, await facts(sandbox))).toEqual([]);
    await cli.must(["up", "--yes", "--skip-preview"]);
    expect(await cli.must(["preview"])).toMatch(/ 2 unchanged/);
    await cli.must(["destroy", "--yes", "--skip-preview"]);
    expect(compareFacts(before, await facts(sandbox))).toEqual([]);
  } finally {
    await cli.remove();
  }
});
