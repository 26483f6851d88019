import { copyFile, mkdir, readFile, symlink } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { startSandbox } from "../../sandbox";
import type { Sandbox } from "../../sandbox/sandbox";
import { PROJECT } from "../../tools/pulumiCli";
import { startConsumer } from "../../tools/start/consumer";
import { Cli, environmentOf } from "../support/cli";
import { runSql } from "../support/postgres";
import { expectCareful, readRequestLog } from "../support/requestLog";
import {
  runGithubJob,
  runGitlabJob,
  standIns,
  type Comment,
  type Ran,
  type Runner,
} from "../support/workflows";

let sandbox: Sandbox;
/** The program of `examples/program`, with its stack `production`, as a repository has it. */
let repository: Cli;
let runner: Runner;
const stacks: Cli[] = [];

beforeAll(async () => {
  sandbox = await startSandbox({ profile: "neon" });
  repository = await exampleStack("program");
  repository.stack = "production";
  await repository.inFolder(["stack", "init", "production"]);
  await repository.config({ "shop-audit:projectId": sandbox.info.projectId });
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

test("GitHub: plan comments, up sets up, nightly finds the trail alive and then its drift", async () => {
  // Not the workflow's own, so it must stay as it is.
  const other = {
    id: 1,
    user: { login: "somebody" },
    body: "<!-- neon-bemi plan shop-audit/production sha256:0 -->",
  };
  await repository.write({ "comments.json": JSON.stringify([other]) });
  const plan = () => runGithubJob(runner, "plan.yml", "plan");
  expectSuccess(await plan());
  const before = (await comments())[1]?.body;
  expect(before).toContain("2 tables get the whole row before each change");

  expectSuccess(await runGithubJob(runner, "up.yml", "plan"));
  expect(await readFile(path.join(runner.folder, "summary.md"), "utf8")).toBe(before);
  expectSuccess(await runGithubJob(runner, "up.yml", "up"));

  // The same comment, with another text.
  expectSuccess(await plan());
  expect(await comments()).toEqual([
    other,
    expect.objectContaining({ id: 2, body: expect.stringContaining("nothing changes") as string }),
  ]);

  const connection = (await repository.output("connection")) as Parameters<
    typeof startConsumer
  >[0]["connection"];
  const { sslRootCert } = sandbox.info;
  const consumer = await startConsumer({ connection, publication: "bemi", slot: "bemi", sslRootCert });
  try {
    expectSuccess(await runGithubJob(runner, "nightly.yml", "nightly"));
    await runSql(sandbox.info.superuserUri, "ALTER PUBLICATION bemi DROP TABLE public.customers");
    const found = await runGithubJob(runner, "nightly.yml", "nightly");
    expect(found.map(({ code }) => code)).toEqual([0, 2, 255]);
    expect(found[1]?.output).toContain("public.customers");
    expect(found[2]?.output).toMatch(/notPublished: "public\.customers"/);
  } finally {
    await consumer.stop();
  }
});

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

test("GitLab: plan writes one note and renews it, up mends, nightly finds the dead trail", async () => {
  const requests = new Notes();
  try {
    const gitlab = { ...runner, env: { ...runner.env, ...(await requests.start()) } };
    await copyFile(
      path.join(PROJECT, "examples", "gitlab", "comment.mjs"),
      path.join(runner.folder, "comment.mjs"),
    );
    requests.notes.push({
      id: 1,
      author: { id: 1 },
      body: "<!-- neon-bemi plan shop-audit/production sha256:0 -->",
    });
    expectSuccess([await runGitlabJob(gitlab, "plan")]);
    expect(requests.notes.map(({ body }) => body)).toEqual([expect.stringContaining("public.customers")]);
    expectSuccess([await runGitlabJob(gitlab, "up")]);
    // The consumer of the other test is gone.
    const { code, output } = await runGitlabJob(gitlab, "nightly");
    expect({ code, output }).toEqual({
      code: 1,
      output: expect.stringMatching(/NB606[^]*unchanged/) as string,
    });
  } finally {
    requests.stop();
  }
});
