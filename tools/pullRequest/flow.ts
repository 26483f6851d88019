import { copyFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod";
import { ownerUri } from "../../commands/exec";
import { accountRun } from "../../commands/account";
import { UserError } from "../../provider/contract/errors";
import { trailOutputs } from "../../provider/contract/trail";
import { startSandbox, type SandboxInfo } from "../../sandbox";
import type { PostgresVersion } from "../../sandbox/compute";
import { ensurePulumiCli, PROJECT, type PulumiCli } from "../pulumiCli";
import { EXCLUDED_TABLE, TRACKED_SCHEMAS } from "../start/application";
import { capture } from "../start/capture";
import { compareFacts, type Fact } from "../start/catalogs";
import type { Cleanup } from "../start/cleanup";
import { differences } from "../start/report";
import { roleOn } from "../start/role";
import { facts, neon, restrict } from "../start/sandboxFacts";
import { DemoStack, STACK_NAME } from "../start/stack";
import type { Steps } from "../start/steps";
import { projectOfExample } from "./project";
import { neonBemi } from "./report";

/** Address of everybody in the sandbox: application, pipeline and consumer. */
const ADDRESS = "127.0.0.1";

/** Name of the branch that is made for the pull request. */
const BRANCH = "pr-7";

const outputs = trailOutputs.pick({ connection: true }).extend({ branchId: z.string() });

/** What the steps of the flow work with. */
interface Setting {
  readonly cli: PulumiCli;
  readonly sandbox: SandboxInfo;
  /** Variables by which provider and commands reach the sandbox. */
  readonly env: Readonly<Record<string, string>>;
  /** Arguments of both trails: tables of the sample shop, and who makes the role. */
  readonly args: Readonly<Record<string, unknown>>;
  readonly steps: Steps;
  readonly cleanup: Cleanup;
  readonly interrupted: AbortSignal;
}

/**
 * Runs the flow: production gets a trail; a branch and a stack on it are made; the application's writes there are
 * captured; `neon-bemi plan` and `check` find nothing; the stack is destroyed.
 *
 * @throws UserError if a step fails, or if production differs from before
 */
export async function runFlow(
  postgres: PostgresVersion,
  steps: Steps,
  cleanup: Cleanup,
  interrupted: AbortSignal,
): Promise<void> {
  const cli = await steps.run(
    "Pulumi CLI",
    (progress) => ensurePulumiCli({ progress }),
    ({ version }) => `Pulumi CLI ${version}`,
  );
  const sandbox = await steps.run(
    "Sandbox",
    async (progress) => {
      const starting = startSandbox({ postgres, profile: "neon", progress });
      cleanup.add(async () => {
        await (await starting.catch(() => undefined))?.stop();
      });
      const { info } = await starting;
      await restrict(info, ADDRESS);
      return info;
    },
    () => "Sandbox with a sample shop",
  );
  const { apiUrl, apiKey, sslRootCert } = sandbox;
  const env = { NEON_API_URL: apiUrl, NEON_API_KEY: apiKey, PGSSLROOTCERT: sslRootCert };
  const args = { schemas: TRACKED_SCHEMAS, excludeTables: [EXCLUDED_TABLE], role: roleOn(postgres) };
  const setting: Setting = { cli, sandbox, env, args, steps, cleanup, interrupted };
  await steps.run(
    "Production",
    async (progress) => (await stackOf(setting, PROJECT, {})).up(progress),
    (outcome) => `Production has a trail: ${outcome.steps.length} created`,
  );
  const before = await facts(sandbox);
  const began = performance.now();
  await pullRequest(setting);
  await steps.run(
    "Comparison",
    () => assertAsBefore(sandbox, before),
    () => "Comparison: the branch is gone; production and the IP Allow list are as before",
  );
  steps.print(`\nFrom the first preview to the comparison: ${seconds(began)} s`);
}

/** What a pipeline does, from the opening of the pull request to its end. */
async function pullRequest(setting: Setting): Promise<void> {
  const { sandbox, steps, cleanup } = setting;
  const folder = await projectOfExample(cleanup);
  const stack = await stackOf(setting, folder, { name: BRANCH });
  await copyFile(stack.configFile, path.join(folder, path.basename(stack.configFile)));
  const environment = { ...process.env, ...commandEnvironment(setting, stack) };
  const report = async (command: string): Promise<string> =>
    neonBemi([command, "--cwd", folder, "--stack", STACK_NAME], environment);

  const first = await steps.run(
    "neon-bemi plan",
    () => report("plan"),
    () => "neon-bemi plan: clean, before there is a branch",
  );
  steps.print(first);
  await steps.run(
    "pulumi up",
    (progress) => stack.up(progress),
    (outcome) => `pulumi up: ${outcome.steps.length} created, on branch ${BRANCH}`,
  );
  const { connection, branchId } = outputs.parse(await stack.outputs());
  const { projectId, database, sslRootCert } = sandbox;
  const uri = await ownerUri(
    { target: { projectId, branch: branchId, database }, recorded: {} },
    accountRun({}, environment),
  );
  let checked = "";
  await steps.run(
    "Tests of the pull request",
    () =>
      capture({ ownerUri: uri, sslRootCert }, connection, ADDRESS, async () => {
        checked = await report("check");
      }),
    (changes) =>
      `Tests: all ${changes.length} changes arrived, every row before complete; neon-bemi check: alive`,
  );
  steps.print(checked);
  const second = await steps.run(
    "neon-bemi plan",
    () => report("plan"),
    () => "neon-bemi plan: clean, nothing changes",
  );
  steps.print(second);
  await steps.run(
    "pulumi destroy",
    (progress) => stack.destroy(progress),
    (outcome) => `pulumi destroy: ${outcome.steps.length} deleted`,
  );
}

/** A stack of the project in a folder, on the sandbox. */
async function stackOf(
  { cli, sandbox, env, args, cleanup, interrupted }: Setting,
  project: string,
  config: Readonly<Record<string, unknown>>,
): Promise<DemoStack> {
  const { projectId, database } = sandbox;
  const creating = DemoStack.create({
    cliRoot: cli.root,
    cliEnv: cli.env,
    project,
    config: { projectId, database, ...args, ...config },
    env,
    interrupted,
  });
  cleanup.add(async () => {
    await (await creating.catch(() => undefined))?.close();
  });
  return creating;
}

/** The variables of a command that runs `pulumi` itself. */
function commandEnvironment({ cli, env }: Setting, stack: DemoStack): Record<string, string> {
  return {
    ...cli.env,
    ...env,
    ...stack.environment,
    PATH: [path.dirname(cli.command), process.env["PATH"] ?? ""].join(path.delimiter),
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}

/** @throws UserError if a branch is left, or if production or the IP Allow list differ from before */
async function assertAsBefore(sandbox: SandboxInfo, before: readonly Fact[]): Promise<void> {
  const left = (await neon(sandbox).branches(sandbox.projectId)).filter(({ isDefault }) => !isDefault);
  if (left.length > 0) throw new UserError(`Branches are left: ${left.map(({ name }) => name).join(", ")}.`);
  const different = compareFacts(before, await facts(sandbox));
  if (different.length > 0)
    throw new UserError(
      `After the pull request, these objects of production differ:\n${differences(different)}`,
    );
}

function seconds(began: number): string {
  return ((performance.now() - began) / 1_000).toFixed(1);
}
