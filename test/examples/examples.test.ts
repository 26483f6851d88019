import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Sandbox } from "../../sandbox/sandbox";
import { PROJECT } from "../../tools/pulumiCli";
import { startConsumer } from "../../tools/start/consumer";
import { actionlint } from "../support/actionlint";
import { Cli, environmentOf } from "../support/cli";
import { runSql } from "../support/postgres";
import { expectCareful, readRequestLog } from "../support/requestLog";
import { testSandbox } from "../support/sandbox";
import { ROLE_BY_API } from "../support/trailRole";
import {
  runGithubJob,
  runGitlabJob,
  standIns,
  type Comment,
  type Ran,
  type Runner,
} from "../support/workflows";

/** Each job runs Pulumi's engine several times, in milliseconds. */
const TIMEOUT = 300_000;

let sandbox: Sandbox;
/** The program of `examples/program`, with its stack `production`, as a repository has it. */
let repository: Cli;
let runner: Runner;
const stacks: Cli[] = [];

beforeAll(async () => {
  sandbox = await testSandbox({ profile: "neon" });
  repository = await exampleStack("program");
  repository.stack = "production";
  await repository.inFolder(["stack", "init", "production"]);
  await repository.config({ "shop-audit:projectId": sandbox.info.projectId, ...roleIn("shop-audit") });
  const bin = path.join(repository.folder, "node_modules", ".bin");
  await mkdir(bin);
  await symlink(path.join(PROJECT, "neon-bemi"), path.join(bin, "neon-bemi"));
  runner = {
    folder: repository.folder,
    env: {
      ...(await standIns(repository.folder, repository.environment)),
      GITHUB_STEP_SUMMARY: path.join(repository.folder, "summary.md"),
    },
    values: {
      "matrix.stack": "production",
      "github.event.number": "7",
      STACK: "production",
      PROJECT_ID: sandbox.info.projectId,
      CI_MERGE_REQUEST_IID: "8",
      PULUMI_OIDC_TOKEN: "token",
    },
  };
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  for (const cli of stacks) await cli.remove();
  await sandbox.stop();
});

const BY_API = { createdBy: "api" } as const;

/** What the examples say to configure before PostgreSQL 16. */
function roleIn(project: string): Readonly<Record<string, unknown>> {
  return ROLE_BY_API ? { [`${project}:role`]: BY_API } : {};
}

async function exampleStack(name: string): Promise<Cli> {
  const cli = await Cli.ofExample(environmentOf(sandbox.info), name);
  stacks.push(cli);
  return cli;
}

function expectSuccess(ran: readonly Ran[]): void {
  expect(ran.filter(({ code }) => code !== 0)).toEqual([]);
}

async function comments(): Promise<Comment[]> {
  return JSON.parse(await readFile(path.join(runner.folder, "comments.json"), "utf8")) as Comment[];
}

const checker = actionlint();
if ("reason" in checker) process.stderr.write(`No check of the workflows: ${checker.reason}\n`);
("reason" in checker ? test.skip : test)("actionlint finds nothing in GitHub's workflows", () => {
  const { program } = checker as { readonly program: string };
  const folder = path.join(PROJECT, "examples", "github");
  const files = readdirSync(folder).filter((name) => name.endsWith(".yml"));
  expect(files).toHaveLength(4);
  const { stdout, status } = spawnSync(program, ["-no-color", ...files], { cwd: folder, encoding: "utf8" });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});

test(
  "the programs for several databases and for a fleet are previewed",
  async () => {
    const { projectId, superuserUri } = sandbox.info;
    await runSql(superuserUri, "CREATE DATABASE billing OWNER neondb_owner");
    const databases = await exampleStack("databases");
    await databases.config({
      "shop-databases-audit:projectId": projectId,
      "shop-databases-audit:databases": ["neondb", "billing"],
      ...(ROLE_BY_API ? { "shop-databases-audit:createdBy": "api" } : {}),
    });
    const fleet = await exampleStack("fleet");
    const acme = { projectId, excludeTables: ["public.events"], ...(ROLE_BY_API ? { role: BY_API } : {}) };
    await fleet.config({ "fleet-audit:tenants": { acme } });
    // Without the ReadAccess of each trail, which a role made through Neon's API does not need.
    const [ofDatabases, ofFleet] = ROLE_BY_API ? [15, 8] : [17, 9];
    expect(await databases.must(["preview"])).toMatch(new RegExp(`\\+ ${ofDatabases} to create`));
    expect(await fleet.must(["preview"])).toMatch(new RegExp(`\\+ ${ofFleet} to create`));
  },
  TIMEOUT,
);

test(
  "GitHub: plan comments, up sets up, and nightly finds the trail alive",
  async () => {
    // Not the workflow's own, so it must stay as it is.
    const other = {
      id: 1,
      user: { login: "somebody" },
      body: "<!-- neon-bemi plan shop-audit/production sha256:0 -->",
    };
    await repository.write({ "comments.json": JSON.stringify([other]) });
    expectSuccess(await runGithubJob(runner, "plan.yml", "plan"));
    const [kept, made, ...more] = await comments();
    expect([kept, more]).toEqual([other, []]);
    expect(made?.body).toMatch(/\d+ tables get the whole row before each change/);

    // The comment of an earlier report is replaced.
    const earlier = { ...made, body: made?.body.replace(/sha256:\S+/, "sha256:0") };
    await repository.write({ "comments.json": JSON.stringify([other, earlier]) });
    expectSuccess(await runGithubJob(runner, "plan.yml", "plan", "Comment"));
    expect(await comments()).toEqual([other, made]);

    expectSuccess(await runGithubJob(runner, "up.yml", "plan"));
    const summary = await readFile(path.join(runner.folder, "summary.md"), "utf8");
    expect(summary).toMatch(/\d+ tables get the whole row before each change/);
    expectSuccess(await runGithubJob(runner, "up.yml", "up"));

    const connection = (await repository.output("connection")) as Parameters<
      typeof startConsumer
    >[0]["connection"];
    const { sslRootCert } = sandbox.info;
    const consumer = await startConsumer({ connection, publication: "bemi", slot: "bemi", sslRootCert });
    try {
      expectSuccess(await runGithubJob(runner, "nightly.yml", "nightly"));
    } finally {
      await consumer.stop();
    }
  },
  TIMEOUT,
);

/** A merge request of GitLab with its notes. */
class Notes {
  readonly notes: { id: number; author: { id: number }; body: string }[] = [];
  readonly #server: Server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(this.#answer(`${request.method ?? ""} ${request.url ?? ""}`, text)));
    });
  });

  async start(): Promise<Readonly<Record<string, string>>> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as AddressInfo;
    return { CI_API_V4_URL: `http://127.0.0.1:${port}`, CI_PROJECT_ID: "5", GITLAB_TOKEN: "token" };
  }

  stop(): void {
    this.#server.close();
  }

  #answer(asked: string, text: string): unknown {
    const notes = "/projects/5/merge_requests/8/notes";
    if (asked === "GET /user") return { id: 1 };
    if (asked === `GET ${notes}?per_page=100&page=1`) return this.notes;
    const { body } = JSON.parse(text) as { body: string };
    if (asked === `POST ${notes}`) {
      this.notes.push({ id: this.notes.length + 1, author: { id: 1 }, body });
      return {};
    }
    const [, id] = new RegExp(`^PUT ${notes}/(\\d+)$`).exec(asked) ?? [];
    const note = this.notes.find((each) => String(each.id) === id);
    if (note === undefined) throw new Error(`not an address of GitLab: ${asked}`);
    note.body = body;
    return {};
  }
}

test(
  "GitLab: nightly finds drift, plan notes it once, and up mends it",
  async () => {
    const requests = new Notes();
    try {
      const gitlab = { ...runner, env: { ...runner.env, ...(await requests.start()) } };
      await copyFile(
        path.join(PROJECT, "examples", "gitlab", "comment.mjs"),
        path.join(runner.folder, "comment.mjs"),
      );
      await runSql(sandbox.info.superuserUri, "ALTER PUBLICATION bemi DROP TABLE public.customers");
      const found = await runGitlabJob(gitlab, "nightly");
      expect(found.code).not.toBe(0);
      expect(found.output).toMatch(/public\.customers[^]*notPublished: "public\.customers"/);

      const earlier = "<!-- neon-bemi plan shop-audit/production sha256:0 -->";
      requests.notes.push(
        { id: 1, author: { id: 2 }, body: earlier },
        { id: 2, author: { id: 1 }, body: earlier },
      );
      expectSuccess([await runGitlabJob(gitlab, "plan")]);
      expect(requests.notes.map(({ body }) => body)).toEqual([
        earlier,
        expect.stringMatching(/NB401 [^]*public\.customers/),
      ]);
      expectSuccess([await runGitlabJob(gitlab, "up")]);
    } finally {
      requests.stop();
    }
  },
  TIMEOUT,
);

const program = path.join(PROJECT, "examples", "pull-request");
test(
  "both make a test stack on a branch of its own, and remove it",
  async () => {
    const folder = path.join(repository.folder, "pull-request");
    await mkdir(folder);
    await symlink(path.join(repository.folder, "node_modules"), path.join(folder, "node_modules"));
    await copyFile(path.join(program, "Pulumi.yaml"), path.join(folder, "Pulumi.yaml"));
    const example = await readFile(path.join(program, "index.ts"), "utf8");
    const source = example.replace("../../components", "pulumi-neon-bemi");
    // The workflow sets no configuration but the project, so the program names the role that the server needs.
    const role = ROLE_BY_API ? source.replace(/role: config.*,/, `role: ${JSON.stringify(BY_API)},`) : source;
    await writeFile(path.join(folder, "index.ts"), role);
    await writeFile(path.join(folder, "package.json"), `{ "name": "pull-request", "main": "index.ts" }\n`);

    expectSuccess(await runGithubJob(runner, "test-stack.yml", "up"));
    expect(await branchNames()).toContain("pr-7");
    expectSuccess(await runGithubJob(runner, "test-stack.yml", "remove"));
    // The workflow also runs for a pull request that never had a stack.
    expectSuccess(await runGithubJob(runner, "test-stack.yml", "remove"));
    expectSuccess([await runGitlabJob(runner, "test-stack")]);
    expect(await branchNames()).toContain("pr-8");
    expectSuccess([await runGitlabJob(runner, "remove-test-stack")]);
    expect(await branchNames()).toEqual(["main"]);
  },
  TIMEOUT,
);

async function branchNames(): Promise<string[]> {
  const { apiUrl, apiKey, projectId } = sandbox.info;
  const headers = { Authorization: `Bearer ${apiKey}` };
  const answer = await fetch(`${apiUrl}/projects/${projectId}/branches`, { headers });
  const { branches } = (await answer.json()) as { branches: { name: string }[] };
  return branches.map(({ name }) => name);
}
