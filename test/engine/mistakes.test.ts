import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Sandbox } from "../../sandbox/sandbox";
import { PROJECT } from "../../tools/pulumiCli";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli, environmentOf, errorsIn, type Outcome } from "../support/cli";
import { counting } from "../support/counts";
import { expectCareful, readRequestLog } from "../support/requestLog";
import { runSql } from "../support/postgres";
import { testSandbox } from "../support/sandbox";
import { ROLE_BY_API, trailArgs } from "../support/trailRole";
import { MISTAKES, REFUSED, type Mistake, type Program } from "./mistakeRows";

// On a busy machine a command of the CLI can take many seconds.
jest.setTimeout(600_000);

/** How many commands run at once. */
const LANES = 2;

const UP = ["up", "--yes", "--skip-preview"];

/** The mistakes that a user is likely to make: each is one clear error, before anything is changed. */
let sandbox: Sandbox;
/** What runs one mistake after the other. Each has its own stacks. */
let lanes: readonly Map<Program, Cli>[];
/** How the mistakes of the table ended. */
const outcomes = new Map<Mistake, Outcome>();
/** Requests that changed something, and what was different in the catalog, after all mistakes of the table. */
let written: unknown[];

beforeAll(async () => {
  sandbox = await testSandbox();
  lanes = Array.from({ length: LANES }, () => new Map<Program, Cli>());
  const rows = MISTAKES.values();
  written = await writtenBy(() =>
    Promise.all(
      lanes.map(async (lane) => {
        // Both lanes take from the same rows.
        for (const mistake of rows) outcomes.set(mistake, await make(mistake, lane));
      }),
    ),
  );
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  for (const lane of lanes) for (const cli of lane.values()) await cli.remove();
  await sandbox.stop();
});

function facts(): Promise<Fact[]> {
  return withClient({ connectionString: sandbox.info.superuserUri }, catalogFacts);
}

/** Runs the work, and returns what was written meanwhile: through Neon's API, and in the database. */
async function writtenBy(work: () => Promise<unknown>): Promise<unknown[]> {
  const before = await facts();
  const { requests } = await counting(sandbox.info, work);
  return [
    ...requests.filter((request) => !request.startsWith("GET ")),
    ...compareFacts(before, await facts()),
  ];
}

/** The stack of the program in this lane. */
async function stackOf(program: Program, lane: Map<Program, Cli>): Promise<Cli> {
  const env = environmentOf(sandbox.info);
  const cli =
    lane.get(program) ??
    (program === "repository" ? await Cli.create(env) : await Cli.ofProgram(env, "", program));
  lane.set(program, cli);
  return cli;
}

/** Makes one mistake. */
async function make(mistake: Mistake, lane: Map<Program, Cli>): Promise<Outcome> {
  const { program, command, config, declares, host } = mistake;
  const cli = await stackOf(program, lane);
  const { projectId, database } = sandbox.info;
  if (program === "repository") await cli.config({ projectId, database, schemas: ["public"], ...config });
  else await cli.program(source(program, declares ?? ""));
  const run = (env: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
    cli.run(command === "up" ? UP : ["preview"], { ...env, ...mistake.env?.(sandbox.info) });
  return host === undefined ? run() : withOtherHost(host, (NEON_API_URL) => run({ NEON_API_URL }));
}

/** A program that declares one resource. */
function source(program: Program, declares: string): string {
  const { projectId, database } = sandbox.info;
  const load =
    program === "typescript"
      ? 'import * as neon from "pulumi-neon-bemi";'
      : 'const neon = require("pulumi-neon-bemi");';
  const place = { projectId, database };
  const target = JSON.stringify(declares.startsWith("BemiAuditTrail") ? trailArgs(place) : place);
  const literal = program === "typescript" ? " as const" : "";
  return `${load}\nconst target = ${target}${literal};\nnew neon.${declares};\n`;
}

/** Runs an API that passes requests on to the sandbox, and replaces the host in the connection URIs of its answers. */
async function withOtherHost<Result>(
  host: string,
  work: (apiUrl: string) => Promise<Result>,
): Promise<Result> {
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
    return await work(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/api/v2`);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}

/** Expects one short error that matches `says`, without a stack. */
function expectError({ code, output }: Outcome, says: RegExp): void {
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

test.each(MISTAKES.map((mistake) => ({ ...mistake, command: mistake.command ?? "preview", mistake })))(
  "$program, $command: reports $title",
  ({ mistake }) => {
    const outcome = outcomes.get(mistake) ?? { code: null, output: "" };
    expectError(outcome, mistake.says);
    if (mistake.lines === undefined) return;
    const lines = outcome.output.split("\n").flatMap((line) => / {6}- (.*)/.exec(line)?.[1] ?? []);
    for (const says of mistake.lines) expect(lines).toContainEqual(expect.stringMatching(says));
    expect(lines).toHaveLength(mistake.lines.length);
  },
);

test("none of them has written anything, through the API or in the database", () => {
  expect(outcomes.size).toBe(MISTAKES.length);
  expect(written).toEqual([]);
});

/** A preview of this repository's program, which is expected to write nothing. */
async function preview(
  config: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  let outcome: Outcome = { code: null, output: "" };
  const [lane = new Map<Program, Cli>()] = lanes;
  const mistake: Mistake = { title: "", program: "repository", config, env: () => env, says: /./ };
  expect(await writtenBy(async () => (outcome = await make(mistake, lane)))).toEqual([]);
  return outcome;
}

test("a key with spaces around it is accepted; a typo in excludeTables is a warning (rows 3 and 12)", async () => {
  // The table may come later.
  const { code, output } = await preview(
    { excludeTables: ["public.sesions"] },
    { NEON_API_KEY: ` ${sandbox.info.apiKey}\n` },
  );
  expect(code).toBe(0);
  expect(output).toMatch(/public\.sesions is excluded, but there is no such table.*mean public\.sessions\?/);
});

test("the TypeScript compiler refuses what it can know", async () => {
  const { folder } = await stackOf("typescript", lanes[0] ?? new Map<Program, Cli>());
  const files = REFUSED.map(async ([, declares], n) => {
    await writeFile(path.join(folder, `refused${n}.ts`), source("typescript", declares));
  });
  await Promise.all([writeFile(path.join(folder, "index.ts"), ""), ...files]);
  const said = await new Promise<string>((resolve) => {
    execFile(path.join(PROJECT, "node_modules", ".bin", "tsc"), ["-p", folder], (_, stdout) => {
      resolve(stdout);
    });
  });
  // One error a file.
  const errors = said.split(/^(?=\S)/m).filter((error) => error !== "");
  expect(errors).toHaveLength(REFUSED.length);
  for (const [n, [title, , says]] of REFUSED.entries()) {
    const own = errors.filter((error) => error.includes(`refused${n}.ts`)).join("");
    expect({ title, own }).toEqual({ title, own: expect.stringMatching(says) as string });
  }
});

test("a program whose Pulumi.yaml does not name the plugin is told the lines beside the engine's error", async () => {
  const own = await Cli.ofProgram(
    environmentOf(sandbox.info),
    source("javascript", `BemiAuditTrail("trail", target)`),
  );
  try {
    await own.write({ "Pulumi.yaml": "name: shop\nruntime: nodejs\n" });
    const { code, output } = await own.run(["preview"]);
    expect(code).not.toBe(0);
    expect(errorsIn(output)).toEqual([
      expect.stringMatching(/^error: no resource plugin 'pulumi-resource-neon-bemi' found/),
    ]);
    expect(output.replace(/\n {4}/g, "\n")).toContain(
      `add these lines to ${own.folder}/Pulumi.yaml:
plugins:
  providers:
    - { name: neon-bemi, path: node_modules/pulumi-neon-bemi }
`,
    );
  } finally {
    await own.remove();
  }
});

test("a preview reports a role and a publication made by hand, with both ways out (row 13)", async () => {
  await runSql(sandbox.info.superuserUri, "CREATE ROLE bemi LOGIN REPLICATION");
  await runSql(
    sandbox.info.superuserUri,
    "SET ROLE neondb_owner; CREATE PUBLICATION bemi FOR TABLE public.orders",
  );
  try {
    expectError(
      await preview({}),
      // Only its resource knows whether a role of Neon's API is the stack's own, and it comes after the check of all.
      ROLE_BY_API
        ? /Publication "bemi" exists.*adopt: true.*, or /
        : /Role "bemi" exists.*adopt: true.*, or .* - Publication "bemi" exists.*adopt: true.*, or /,
    );
  } finally {
    await runSql(sandbox.info.superuserUri, "DROP PUBLICATION bemi; DROP ROLE bemi");
  }
});

test("a preview with adopt refuses what another trail holds, and names it (row 14)", async () => {
  const own = await stackOf("javascript", lanes[0] ?? new Map<Program, Cli>());
  await own.program(source("javascript", `BemiAuditTrail("first", { ...target, dropSlotOnDestroy: true })`));
  await own.must(UP);
  expectError(await preview({ adopt: true }), /shop\/test\/first/);
  await own.must(["destroy", "--yes", "--skip-preview"]);
});
