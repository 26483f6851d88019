import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { version } from "../../package.json";
import { KINDS } from "../../provider/plugin/pluginProcess";
import { packageSchema } from "../../provider/plugin/schema";
import type { Sandbox } from "../../sandbox/sandbox";
import { PROJECT } from "../../tools/pulumiCli";
import { PYTHON_SDK, type Language } from "../../tools/pulumiCli/languages";
import type { LanguageOrReason } from "../../tools/pulumiCli/languagesMain";
import { release } from "../../tools/release/release";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf } from "../support/cli";
import { counting } from "../support/counts";
import { languages } from "../support/languages";
import { ADOPTION } from "../support/previewText";
import { expectCareful, readRequestLog } from "../support/requestLog";
import { runSql } from "../support/postgres";
import { testSandbox } from "../support/sandbox";
import { ROLE_BY_API } from "../support/trailRole";

const { yaml, python, nodejsPrinter } = languages();
const inYaml = testsIn("YAML", yaml);
const inPython = testsIn("Python", python);
const printed = testsIn("TypeScript, of an import", nodejsPrinter);

let sandbox: Sandbox;
let before: Fact[];
let folder: string;
/** The plugin as a release has it. */
let archive: string;
const stacks: Cli[] = [];

beforeAll(async () => {
  sandbox = await testSandbox();
  before = await facts();
  folder = mkdtempSync(path.join(tmpdir(), "neon-bemi-languages-"));
  [archive = ""] = (await release(PROJECT, path.join(folder, "release"))).archives;
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  for (const cli of stacks) await cli.remove();
  rmSync(folder, { recursive: true, force: true });
  await sandbox.stop();
});

/** The tests of a language. They are skipped, with the reason, where the language cannot be had. */
function testsIn(name: string, language: LanguageOrReason): jest.It {
  if (!("reason" in language)) return test;
  process.stderr.write(`No programs in ${name}: ${language.reason}\n`);
  return test.skip;
}

function facts(): Promise<Fact[]> {
  return withClient({ connectionString: sandbox.info.superuserUri }, catalogFacts);
}

async function expectUntouched(): Promise<void> {
  expect(compareFacts(before, await facts())).toEqual([]);
}

/**
 * A file of the examples, with the project of the sandbox instead of the reader's, and with the role that the server needs:
 * see `trailArgs`.
 */
function example(...names: readonly string[]): string {
  const text = readFileSync(path.join(PROJECT, "examples", ...names), "utf8");
  const ours = text.replace("cool-darkness-123456", sandbox.info.projectId);
  return ROLE_BY_API
    ? ours
        .replace(/^( +)tables:/m, "$1role: { createdBy: api }\n$1readAccess: true\n$1tables:")
        .replace(/^( +)tables=/m, '$1role={"created_by": "api"},\n$1read_access=True,\n$1tables=')
    : ours;
}

/** A stack of a program in another language, with the plugin installed as the examples say. */
async function stackOf(
  language: LanguageOrReason,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Cli> {
  const { bin } = language as Language;
  const PATH = [bin, process.env["PATH"] ?? ""].join(path.delimiter);
  const cli = await Cli.ofProject({ ...environmentOf(sandbox.info), PATH, ...env }, files);
  stacks.push(cli);
  await cli.inFolder(["plugin", "install", "resource", "neon-bemi", version, "--file", archive]);
  return cli;
}

const UP = ["up", "--yes", "--skip-preview"];

/** What a user sees of a trail, from the first preview to the destroy. */
async function expectWholeLife(cli: Cli): Promise<void> {
  const first = await cli.must(["preview"]);
  expect(first).toMatch(/2 tables are added to the publication bemi: public\.customers, public\.orders/);
  expect(first).toMatch(/\+ 9 to create/);
  await expectUntouched();
  expect(await cli.must(UP)).toMatch(/\+ 9 created/);
  expect(await cli.output("connection")).toMatchObject({ database: "neondb", username: "bemi" });

  await runSql(sandbox.info.superuserUri, "ALTER PUBLICATION bemi DROP TABLE public.customers");
  expect(await cli.must(["refresh", "--yes", "--diff"])).toMatch(/\+ notPublished *: "public\.customers"/);
  expect(await cli.must(["preview", "--diff"])).toMatch(/- notPublished: "public\.customers"/);
  expect(await cli.must(UP)).toMatch(/~ 2 updated\n\s+7 unchanged/);
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  await expectUntouched();
}

inYaml("the YAML example is previewed, made, mended and destroyed", async () => {
  await expectWholeLife(await stackOf(yaml, { "Pulumi.yaml": example("yaml", "Pulumi.yaml") }));
});

inPython("the Python example is previewed, made, mended and destroyed", async () => {
  const { bin, packages = "" } = python as Language;
  // `pulumi package add` and pip do this. The oldest Python has no metadata but from a folder of this name.
  const sdk = path.join(folder, "sdk");
  const about = path.join(sdk, `pulumi_neon_bemi-${version}.dist-info`);
  await mkdir(about, { recursive: true });
  writeFileSync(
    path.join(about, "METADATA"),
    `Metadata-Version: 2.1\nName: pulumi_neon_bemi\nVersion: ${version}\n`,
  );
  const schema = path.join(folder, "schema.json");
  writeFileSync(schema, JSON.stringify(packageSchema(KINDS.map(({ definition }) => definition))));
  execFileSync(path.join(bin, PYTHON_SDK), [schema, sdk]);
  const files = {
    // The example has the packages in a virtual environment of its own.
    "Pulumi.yaml": "name: orders-audit-trail\nruntime: python\n",
    "__main__.py": example("python", "__main__.py"),
  };
  await expectWholeLife(await stackOf(python, files, { PYTHONPATH: [packages, sdk].join(path.delimiter) }));
});

/** Changes of the YAML example, each with what a preview must say of it. */
const MISTAKES: readonly [what: string, change: readonly [from: string, to: string], says: RegExp][] = [
  [
    "an unknown key (row 18)",
    ["tables:", "table:"],
    /Property table does not exist on 'neon-bemi:index:BemiAuditTrail'/,
  ],
  [
    "a missing key (row 19)",
    ["      database: neondb\n", ""],
    /database: Missing required property 'database'/,
  ],
  [
    "tables beside schemas (row 8)",
    ["tables:", "schemas: [public]\n      tables:"],
    /resource 'trail' has a problem: The arguments .*:\n +- schemas and tables exclude each other/,
  ],
  [
    "a slot in upper case (row 16)",
    ["tables:", "slot: Bemi\n      tables:"],
    /resource 'trail' has a problem: The arguments .*:\n +- slot must be 1 to 63 lower-case/,
  ],
  [
    "a typo in a table (row 9)",
    ["public.orders", "public.ordes"],
    /public\.ordes is not a table of this database\. Did you mean public\.orders\?/,
  ],
];

/** What Pulumi adds to an error, and says nothing new. */
const ADDED = [/^error: preview failed$/, /^error: .* it is not complete, .*: see the other error\.$/];

inYaml("a preview of a YAML program has one error for each mistake, and writes nothing", async () => {
  const source = example("yaml", "Pulumi.yaml");
  const cli = await stackOf(yaml, { "Pulumi.yaml": source });
  for (const [what, [from, to], says] of MISTAKES) {
    expect(source).toContain(from);
    await cli.write({ "Pulumi.yaml": source.replace(from, to) });
    const { requests } = await counting(sandbox.info, async () => {
      const { code, output } = await cli.run(["preview"]);
      const text = stripVTControlCharacters(output.slice(output.indexOf("Diagnostics:") + 1));
      expect({ what, failed: code !== 0, text }).toEqual({
        what,
        failed: true,
        text: expect.stringMatching(says) as string,
      });
      const errors = text.split("\n").flatMap((line) => /^ +(error: .*)/i.exec(line)?.[1] ?? []);
      expect(errors.filter((error) => !ADDED.some((added) => added.test(error)))).toHaveLength(1);
    });
    expect(requests.filter((request) => !request.startsWith("GET "))).toEqual([]);
  }
  await expectUntouched();
});

/** Imports a publication that was made by hand, into an empty stack, and previews the program that the import prints. */
async function expectImport(
  cli: Cli,
  env: Readonly<Record<string, string>>,
  take: (output: string) => Promise<void>,
): Promise<void> {
  const { superuserUri, projectId, branchName, database } = sandbox.info;
  await runSql(superuserUri, "SET ROLE neondb_owner; CREATE PUBLICATION bemi FOR TABLE public.orders");
  const id = `${projectId}/${branchName}/${database}/bemi`;
  const type = "neon-bemi:index:Publication";
  await take(await cli.must(["import", type, "trail", id, "--yes", "--protect=false"], env));
  expect(await cli.must(["preview", "--diff"])).toMatch(ADOPTION);
  await runSql(superuserUri, "DROP PUBLICATION bemi");
}

inYaml("an import prints a YAML program, whose preview shows only the adoption", async () => {
  const project = "name: shop\nruntime: yaml\n";
  const cli = await stackOf(yaml, { "Pulumi.yaml": project });
  await expectImport(cli, {}, async (output) => {
    const program = output.slice(output.indexOf("resources:"));
    expect(program).toContain("adopt: true");
    await cli.write({ "Pulumi.yaml": `${project}${program}\n` });
  });
});

printed("an import prints a TypeScript program, whose preview shows only the adoption", async () => {
  const cli = await Cli.ofProgram(environmentOf(sandbox.info), "", "typescript");
  stacks.push(cli);
  const { bin } = nodejsPrinter as Language;
  const PATH = [bin, process.env["PATH"] ?? ""].join(path.delimiter);
  await expectImport(cli, { PATH }, async (output) => {
    const [program = ""] = /import \* as pulumi [^]*\n}\);/.exec(output) ?? [];
    expect(program).toMatch(/from "pulumi-neon-bemi";[^]* adopt: true,/);
    await cli.program(program);
  });
});
