import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startSandbox } from "../../sandbox";
import type { Sandbox } from "../../sandbox/sandbox";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf, errorsIn, type Outcome } from "../support/cli";
import { counting } from "../support/counts";
import { expectCareful, readRequestLog } from "../support/requestLog";
import { runSql } from "../support/postgres";

/** The mistakes that a user is likely to make: each is one clear error, before anything is changed. */
let sandbox: Sandbox;
/** A stack of this repository's program. */
let cli: Cli;
/** A stack of a plain JavaScript program, in which no compiler has looked. */
let own: Cli;
let before: Fact[];

beforeAll(async () => {
  sandbox = await startSandbox({});
  cli = await Cli.create(environmentOf(sandbox.info));
  own = await Cli.ofProgram(environmentOf(sandbox.info), "");
});

beforeEach(async () => {
  before = await facts();
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  await cli.remove();
  await own.remove();
  await sandbox.stop();
});

function facts(): Promise<Fact[]> {
  return withClient({ connectionString: sandbox.info.superuserUri }, catalogFacts);
}

/** Runs a command, and expects it to write nothing: neither through Neon's API nor in the database. */
async function withoutWrites(run: () => Promise<Outcome>): Promise<Outcome> {
  let outcome: Outcome = { code: null, output: "" };
  const { requests } = await counting(sandbox.info, async () => {
    outcome = await run();
  });
  expect(requests.filter((request) => !request.startsWith("GET "))).toEqual([]);
  expect(compareFacts(before, await facts())).toEqual([]);
  return outcome;
}

/** Expects one short error that matches `says`, without a stack, and no write. */
async function expectError(run: () => Promise<Outcome>, says: RegExp): Promise<void> {
  const { code, output } = await withoutWrites(run);
  expect({ code, errors: errorsIn(output) }).toEqual({
    code: expect.any(Number) as number,
    errors: [expect.stringMatching(says)],
  });
  expect(code).not.toBe(0);
  // A list has its sentences in each line.
  const [line = ""] = (errorsIn(output)[0] ?? "").replace("Preview failed: ", "").split(" - ").slice(-1);
  const sentences = line.split(/[.:?!](?: |$)/).filter((part) => /\S/.test(part));
  expect(sentences.length).toBeLessThanOrEqual(5);
  expect(output).not.toMatch(/\n\s+at .+:\d+:\d+\)?\n/);
}

/** The least that the program must be told. */
function settings(): Record<string, unknown> {
  const { projectId, database } = sandbox.info;
  return { projectId, database, schemas: ["public"] };
}

/** Previews this repository's program with other settings, or another environment. */
async function preview(
  config: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
  command: readonly string[] = ["preview"],
): Promise<Outcome> {
  await cli.config({ ...settings(), ...config });
  return cli.run(command, env);
}

const UP = ["up", "--yes", "--skip-preview"];

/** Settings that are wrong by themselves, by the row of the list of likely mistakes, with what is said of them. */
type Wrong = readonly [row: string, config: Readonly<Record<string, unknown>>, says: RegExp];

const WRONG: readonly Wrong[] = [
  ["a malformed project id (row 4)", { projectId: "Not A Project" }, /^projectId must be a Neon id/],
  [
    "an environment in lower case (row 7)",
    { environment: "production" },
    /^environment must be Production, .* set environment Production$/,
  ],
  [
    "a host name as address (row 15)",
    { allowedIps: ["bemi.example.com"] },
    /^allowedIps\[0\] "bemi\.e.*" is not/,
  ],
  ["a slot in upper case (row 16)", { slot: "Bemi" }, /^slot must be 1 to 63 lower-case/],
  [
    "a publication in upper case (row 16)",
    { publication: "Bemi" },
    /^publication must be 1 to 63 lower-case/,
  ],
  ["schemas as a text (row 17)", { schemas: "public" }, /^schemas must be a list.*--path 'schemas\[0\]'/],
  ["a flag as yes (row 17)", { trackNewTables: "yes" }, /^trackNewTables must be true or false/],
  ["a role as a text (row 17)", { role: "bemi" }, /^role must be an object such as/],
  ["an unknown key (row 18)", { shcemas: ["public"] }, /^shcemas is not a key.*did you mean schemas\?/],
  [
    "a key in the wrong case (row 18)",
    { projectID: "x" },
    /^projectID is not a key.*did you mean projectId\?/,
  ],
];

const WRONG_TOO: readonly Wrong[] = [
  [
    "a table without its schema (row 10)",
    { ...tables("orders") },
    /^tables\[0\] must be a table name with its/,
  ],
  ["no address (row 15)", { allowedIps: [] }, /^allowedIps must not be an empty list/],
  ["no database (row 19)", { database: undefined }, /^database is required/],
  [
    "the provider's namespace (row 26)",
    { "neon-bemi:branch": "x" },
    /^neon-bemi:branch is not a.* mean branch\?/,
  ],
  [
    "another project's key (row 26)",
    { projectId: undefined, "other:projectId": "cool-darkness-123456" },
    /^other:projectId belongs to the project other\. Did you mean projectId\?/,
  ],
];

test.each([[WRONG], [WRONG_TOO]])(
  "a preview reports every wrong setting at once, a line each",
  async (wrong) => {
    const config = Object.assign({}, ...wrong.map(([, each]) => each)) as Record<string, unknown>;
    let said = "";
    await expectError(async () => {
      const outcome = await preview(config);
      said = outcome.output;
      return outcome;
    }, /^error: The stack's configuration needs attention:/);
    const lines = said.split("\n").flatMap((line) => / {6}- (.*)/.exec(line)?.[1] ?? []);
    for (const [, , says] of wrong) expect(lines).toContainEqual(expect.stringMatching(says));
    expect(lines).toHaveLength(wrong.length);
  },
);

/** Settings that only a look at the account and the database can find wrong, or that exclude each other. */
const SETTINGS: readonly Wrong[] = [
  ["an unknown project (row 4)", { projectId: "no-such-project" }, /no-such-project.*Check projectId/],
  [
    "an unknown database (row 5)",
    { database: "neonbd" },
    /no database "neonbd"\. Its databases: neondb\. Did you/,
  ],
  ["an unknown branch (row 6)", { branch: "dev" }, /has no branch "dev"\. Its branches: main\./],
  ["tables beside schemas (row 8)", { tables: ["public.orders"] }, /schemas and tables exclude each other/],
  [
    "a typo in a table, a table in upper case (rows 9 and 11)",
    tables("public.ordes", "public.Products"),
    /public\.ordes is not a table.*Did you mean public\.orders\?.*Did you mean public\.products\?/,
  ],
  [
    "a schema in upper case (row 11)",
    { schemas: ["Public"] },
    /Public is not a schema.*Did you mean public\?/,
  ],
  [
    "an address for an open project (row 15)",
    { allowedIps: ["203.0.113.7"] },
    /is empty.*restrictOpenProject: true/,
  ],
];

function tables(...names: string[]): Record<string, unknown> {
  return { schemas: undefined, tables: names };
}

test.each(SETTINGS)("a preview reports %s", async (_row, config, says) => {
  await expectError(() => preview(config), says);
});

/** Environments in which a preview finds a mistake. */
const ENVIRONMENTS: readonly [row: string, env: () => Record<string, string>, says: RegExp][] = [
  [
    "a wrong API key (row 1)",
    () => ({ NEON_API_KEY: "napi_wrong" }),
    /401.*API key is missing, invalid or revoked/,
  ],
  ["a key with quotes (row 1)", () => ({ NEON_API_KEY: `"${sandbox.info.apiKey}"` }), /401.*NEON_API_KEY/],
  ["a missing API key (row 2)", () => ({ NEON_API_KEY: "" }), /There is no Neon API key\. Set NEON_API_KEY/],
  [
    "an API that cannot be reached (row 25)",
    () => ({ NEON_API_URL: "http://127.0.0.1:9/api/v2" }),
    /Neon's API at http:\/\/127\.0\.0\.1:9\/.* cannot be reached.*NEON_API_URL/,
  ],
  [
    "a certificate that cannot be verified",
    () => ({ PGSSLROOTCERT: "" }),
    /TLS connection to localhost:\d+ cannot be trusted.*PGSSLROOTCERT/,
  ],
];

test.each(ENVIRONMENTS)("a preview reports %s", async (_row, env, says) => {
  await expectError(() => preview({}, env()), says);
});

test("a key with spaces around it is accepted (row 3)", async () => {
  const { code } = await withoutWrites(() => preview({}, { NEON_API_KEY: ` ${sandbox.info.apiKey}\n` }));
  expect(code).toBe(0);
});

test("a typo in excludeTables is a warning, because the table may come later (row 12)", async () => {
  const { code, output } = await withoutWrites(() => preview({ excludeTables: ["public.sesions"] }));
  expect(code).toBe(0);
  expect(output).toMatch(/public\.sesions is excluded, but there is no such table.*mean public\.sessions\?/);
});

/** Runs an API that passes requests on to the sandbox, and replaces the host in the connection URIs of its answers. */
async function withOtherHost(host: string, work: (apiUrl: string) => Promise<void>): Promise<void> {
  const proxy: Server = createServer((request, response) => {
    const headers = { authorization: request.headers.authorization ?? "" };
    void fetch(new URL(request.url ?? "/", sandbox.info.apiUrl), { headers, method: request.method })
      .then(async (answer) => {
        const text = await answer.text();
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(text.replace(/@localhost:\d+\//, `@${host}/`));
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    await work(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/api/v2`);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}

test.each([
  ["a pooled host", "ep-cool-darkness-123456-pooler.localhost:5432", /is the connection pooler.*direct host/],
  ["a port on which nothing listens", "localhost:9", /localhost:9/],
])("a preview reports %s", async (_what, host, says) => {
  await withOtherHost(host, async (apiUrl) => {
    await expectError(() => preview({}, { NEON_API_URL: apiUrl }), says);
  });
});

test.each([
  ["a wrong API key (row 1)", {}, { NEON_API_KEY: "napi_wrong" }, /401.*API key is missing/],
  ["an unknown database (row 5)", { database: "neonbd" }, {}, /no database "neonbd"/],
  ["a typo in a table (row 9)", tables("public.ordes"), {}, /public\.ordes is not a table/],
])("an up without a preview reports %s just as early", async (_row, config, env, says) => {
  await expectError(() => preview(config, env, UP), says);
});

/** Arguments of a trail in plain JavaScript, in which a preview finds a mistake. */
const ARGUMENTS: readonly [row: string, source: string, says: RegExp][] = [
  [
    "tables beside schemas (row 8)",
    `{ ...target, schemas: ["public"], tables: ["public.a"] }`,
    /exclude each other/,
  ],
  ["a typo in a table (row 9)", `{ ...target, tables: ["public.ordes"] }`, /Did you mean public\.orders\?/],
  [
    "an undefined database (row 27)",
    `{ ...target, database: process.env.NO_SUCH }`,
    /- database is required/,
  ],
  [
    "a host name as address, a slot in upper case, an unknown key (rows 15, 16 and 18)",
    `{ ...target, allowedIps: ["a.example.com"], slot: "Bemi", table: ["public.orders"] }`,
    /- slot must be 1 to 63.* - allowedIps\[0\] .*is not.* - table is not an argument\. Did you mean tables\?/,
  ],
];

/** Previews a plain JavaScript program that declares one resource. */
async function previewOwn(declaration: string): Promise<Outcome> {
  const { projectId, database } = sandbox.info;
  const target = JSON.stringify({ projectId, database });
  await own.program(
    `const neon = require("pulumi-neon-bemi");\nconst target = ${target};\nnew neon.${declaration};`,
  );
  return own.run(["preview"]);
}

test.each(ARGUMENTS)("in plain JavaScript, a preview reports %s", async (_row, source, says) => {
  await expectError(() => previewOwn(`BemiAuditTrail("trail", ${source})`), says);
});

test("in plain JavaScript, a preview reports an unknown key of a single resource (row 18)", async () => {
  await expectError(
    () => previewOwn(`Publication("trail", { ...target, schemas: ["public"], tabels: ["public.orders"] })`),
    /tabels is not an argument.*mean tables\?/,
  );
});

test("a preview reports a role and a publication made by hand, with both ways out (row 13)", async () => {
  await runSql(sandbox.info.superuserUri, "CREATE ROLE bemi LOGIN REPLICATION");
  await runSql(
    sandbox.info.superuserUri,
    "SET ROLE neondb_owner; CREATE PUBLICATION bemi FOR TABLE public.orders",
  );
  before = await facts();
  try {
    await expectError(
      () => preview({}),
      /Role "bemi" exists.*adopt: true.*, or .* - Publication "bemi" exists.*adopt: true.*, or /,
    );
  } finally {
    await runSql(sandbox.info.superuserUri, "DROP PUBLICATION bemi; DROP ROLE bemi");
  }
});

test("a preview with adopt refuses what another trail holds, and names it (row 14)", async () => {
  const { projectId, database } = sandbox.info;
  await own.program(
    `const { BemiAuditTrail } = require("pulumi-neon-bemi");
     new BemiAuditTrail("first", ${JSON.stringify({ projectId, database, dropSlotOnDestroy: true })});`,
  );
  await own.must(UP);
  before = await facts();
  await expectError(() => preview({ adopt: true }), /shop\/test\/first/);
  await own.must(["destroy", "--yes", "--skip-preview"]);
});
