import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod";
import { parse } from "yaml";
import { PROJECT } from "../../tools/pulumiCli";

/*
 * Runs the jobs of the workflows in `examples`, with stand-ins for what only GitHub, GitLab and Pulumi Cloud have.
 */

const variables = z.record(z.string(), z.string()).default({});

const githubStep = z.object({
  name: z.string().optional(),
  if: z.string().optional(),
  run: z.string().optional(),
  uses: z.string().optional(),
  with: z.record(z.string(), z.unknown()).optional(),
  env: variables,
});
type GithubStep = z.infer<typeof githubStep>;

const githubWorkflow = z.object({
  on: z.unknown(),
  permissions: z.record(z.string(), z.string()),
  defaults: z.object({ run: z.object({ "working-directory": z.string() }) }).optional(),
  env: variables,
  jobs: z.record(
    z.string(),
    z.object({ env: variables, environment: z.string().optional(), steps: z.array(githubStep) }),
  ),
});

const gitlabJob = z.object({ script: z.array(z.string()) });

/** How one command of a job ended. */
export interface Ran {
  readonly command: string;
  readonly code: number;
  /** Stdout and stderr. */
  readonly output: string;
}

/** Where the jobs run. */
export interface Runner {
  /** The folder with the Pulumi program. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** What the pipeline knows, e.g. `matrix.stack`. */
  readonly values: Readonly<Record<string, string>>;
}

export async function readWorkflow(name: string): Promise<z.infer<typeof githubWorkflow>> {
  const text = await readFile(path.join(PROJECT, "examples", "github", name), "utf8");
  return githubWorkflow.parse(parse(text));
}

/** A comment on a pull request, as GitHub's API shows it. The stand-in keeps them in `comments.json` in the folder. */
export interface Comment {
  readonly id: number;
  readonly user: { readonly login: string };
  readonly body: string;
}

/**
 * Runs the steps of a job of GitHub's one after the other, as GitHub does: after a failure only those that say so.
 *
 * @param only name of the only step to run. Default: all steps
 */
export async function runGithubJob(
  { folder, env, values }: Runner,
  file: string,
  name: string,
  only?: string,
): Promise<Ran[]> {
  const { jobs, defaults, env: forAll } = await readWorkflow(file);
  const job = jobs[name];
  if (job === undefined) throw new Error(`${file} has no job ${name}`);
  const ran: Ran[] = [];
  const evaluated = (given: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(given).map(([key, text]) => [key, withValues(text, values)]));
  let keys: NodeJS.ProcessEnv = {};
  for (const step of job.steps) {
    if (only !== undefined && step.name !== only) continue;
    const failed = ran.some(({ code }) => code !== 0);
    if (failed && step.if?.includes("!cancelled()") !== true) continue;
    if (step.uses?.startsWith("pulumi/esc-action@") === true) keys = escKeys(env);
    else if (step.uses?.startsWith("actions/github-script@") === true)
      ran.push(await githubScript(step, folder, env));
    else if (step.run === undefined && !SETUP.test(step.uses ?? ""))
      throw new Error(`The test does not know what ${step.uses ?? "a step"} does`);
    if (step.run === undefined) continue;
    const cwd = path.join(folder, defaults?.run["working-directory"] ?? ".");
    const all = { ...env, ...keys, ...evaluated(forAll), ...evaluated(job.env), ...evaluated(step.env) };
    ran.push(await bash(["-e"], withValues(step.run, values), cwd, all));
  }
  return ran;
}

/** Actions that set up what a test has already. */
const SETUP = /^(actions\/(checkout|setup-node)|pulumi\/(actions|auth-actions))@/;

/** Runs the code of a step with `actions/github-script`, on a pull request with the comments of `comments.json`. */
function githubScript({ with: inputs }: GithubStep, folder: string, env: NodeJS.ProcessEnv): Promise<Ran> {
  const code = z.string().parse(inputs?.["script"]);
  return bash(
    ["-e"],
    `cat > script.cjs <<'END'
${GITHUB_API}(async () => {
${code}
})().then(save);
END
node script.cjs`,
    folder,
    env,
  );
}

/** What the action hands to the code, as far as the examples use it. */
const GITHUB_API = `
const fs = require("node:fs");
const comments = JSON.parse(fs.readFileSync("comments.json", "utf8"));
const save = () => fs.writeFileSync("comments.json", JSON.stringify(comments));
const issues = {
  listComments: () => comments,
  createComment: async ({ body }) =>
    comments.push({ id: comments.length + 1, user: { login: "github-actions[bot]" }, body }),
  updateComment: async ({ comment_id: id, body }) => (comments.find((each) => each.id === id).body = body),
};
const github = { rest: { issues }, paginate: async (list) => list() };
const core = { warning: (text) => { throw new Error(text); } };
const context = { repo: { owner: "acme", repo: "shop" }, issue: { number: 7 } };
`;

/** Runs the commands of a job of GitLab's, before_script included, in one shell as GitLab does. */
export async function runGitlabJob({ folder, env, values }: Runner, name: string): Promise<Ran> {
  const text = await readFile(path.join(PROJECT, "examples", "gitlab", ".gitlab-ci.yml"), "utf8");
  const pipeline = z.record(z.string(), z.unknown()).parse(parse(text));
  const { before_script: before } = z
    .object({ before_script: z.array(z.string()) })
    .parse(pipeline["default"]);
  const { script } = gitlabJob.parse(pipeline[name]);
  const expanded = Object.entries(variables.parse(pipeline["variables"])).map(([key, value]) => [
    key,
    value.replace(/\$(\w+)/g, (_, variable: string) => values[variable] ?? ""),
  ]);
  return bash(["-e", "-o", "pipefail"], withValues([...before, ...script].join("\n"), values), folder, {
    ...env,
    ...values,
    ...(Object.fromEntries(expanded) as Record<string, string>),
  });
}

/** Replaces the expressions `${{ name }}`, and the project of the examples. */
function withValues(text: string, values: Readonly<Record<string, string>>): string {
  return text
    .replaceAll("cool-darkness-123456", values["PROJECT_ID"] ?? "")
    .replace(/\$\{\{ ([\w.]+) \}\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`The test has no value for ${name}`);
      return value;
    });
}

async function bash(
  options: readonly string[],
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<Ran> {
  const script = path.join(cwd, "step.sh");
  await writeFile(script, command);
  return new Promise((resolve) => {
    execFile("bash", [...options, script], { cwd, env, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ command, code, output: stdout + stderr });
    });
  });
}

/** The variable with the API key that {@link standIns} keeps from the jobs until they ask for it. */
const KEPT = "KEPT_NEON_API_KEY";

function escKeys(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { NEON_API_KEY: env[KEPT] };
}

/**
 * The environment of the jobs: `npm ci` has nothing to do, and `pulumi` is the real one without Pulumi Cloud: it accepts the
 * login, opens ESC environments with the API key in them, and leaves the organization out of the names of stacks.
 */
export async function standIns(folder: string, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const bin = path.join(folder, "stand-ins");
  await mkdir(bin);
  const real = await new Promise<string>((resolve, reject) => {
    execFile("bash", ["-c", "command -v pulumi"], { env }, (error, stdout) => {
      if (error === null) resolve(stdout.trim());
      else reject(new Error("there is no pulumi on PATH", { cause: error }));
    });
  });
  const scripts = {
    npm: `[ "$*" = ci ]`,
    pulumi: `case "$1 $2" in
  "login --oidc-token") exit ;;
  "env open") printf 'export NEON_API_KEY="%s"\\n' "$${KEPT}"; exit ;;
esac
args=()
for arg in "$@"; do args+=("\${arg#acme/}"); done
exec "${real}" "\${args[@]}"`,
  };
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(path.join(bin, name), `#!/usr/bin/env bash\n${text}\n`);
    await chmod(path.join(bin, name), 0o755);
  }
  const { NEON_API_KEY: key, ...others } = env;
  return { ...others, [KEPT]: key, PATH: [bin, env["PATH"] ?? ""].join(path.delimiter) };
}
