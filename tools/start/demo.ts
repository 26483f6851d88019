import { UserError } from "../../provider/contract/errors";
import { trailOutputs } from "../../provider/contract/trail";
import { startSandbox, type SandboxInfo } from "../../sandbox";
import { ensurePulumiCli, PROJECT } from "../pulumiCli";
import { EXCLUDED_TABLE, TRACKED_SCHEMAS } from "./application";
import { capture } from "./capture";
import { compareFacts, countFacts } from "./catalogs";
import type { Cleanup } from "./cleanup";
import { facts, restrict } from "./sandboxFacts";
import { playground, REAL_PROJECT } from "./instructions";
import { hasAddress } from "./loopback";
import { assertMended, changeDatabase, NEXT_DAY, undoMigration } from "./nextDay";
import type { StartOptions } from "./options";
import { changesTable, contexts, counts, dialog, differences, notes, operation, readiness } from "./report";
import { roleOn } from "./role";
import { DemoStack } from "./stack";
import type { Progress, Steps } from "./steps";

/** Address of the application and of the machine that runs Pulumi. The project's IP Allow list has it from the start. */
const APPLICATION_ADDRESS = "127.0.0.1";
/** Address that Bemi connects from. Bemi can connect only because the stack adds it to the IP Allow list. */
const BEMI_ADDRESS = "127.0.0.7";

const outputs = trailOutputs.pick({ connection: true, status: true });

/** Runs all steps of `npm start`. Throws if a step fails, a change is not captured in full, or a difference remains. */
export async function runDemo(
  options: StartOptions,
  steps: Steps,
  cleanup: Cleanup,
  interrupted: AbortSignal,
): Promise<void> {
  const cli = await steps.run(
    "Pulumi CLI",
    (progress) => ensurePulumiCli({ progress }),
    ({ version, origin }) => `Pulumi CLI ${version} (${origin === "path" ? "on PATH" : origin})`,
  );
  const sandbox = await steps.run(
    "Sandbox",
    (progress) => openSandbox(options.postgres, cleanup, progress),
    () => `Sandbox: PostgreSQL ${options.postgres} with a sample shop and a Neon API emulator`,
  );
  const before = await steps.run(
    "Catalogs and IP Allow list",
    () => facts(sandbox),
    (found) => `Catalogs and IP Allow list recorded: ${found.length} facts`,
  );

  const bemiAddress = (await hasAddress(BEMI_ADDRESS)) ? BEMI_ADDRESS : APPLICATION_ADDRESS;
  const env = {
    NEON_API_URL: sandbox.apiUrl,
    NEON_API_KEY: sandbox.apiKey,
    PGSSLROOTCERT: sandbox.sslRootCert,
  };
  const stack = await steps.run(
    "Stack",
    async () => {
      const creating = DemoStack.create({
        cliRoot: cli.root,
        cliEnv: cli.env,
        project: PROJECT,
        config: stackConfig(sandbox, options.postgres, bemiAddress),
        env,
        interrupted,
      });
      cleanup.add(async () => {
        await (await creating.catch(() => undefined))?.close();
      });
      return await creating;
    },
    () => "Stack created, its state in a temporary folder",
  );
  const planned = await steps.run(
    "pulumi preview",
    (progress) => stack.preview(progress),
    (outcome) => `pulumi preview: ${outcome.steps.length} to create`,
  );
  steps.print(operation(planned));
  const made = await steps.run(
    "pulumi up",
    (progress) => stack.up(progress),
    (outcome) => `pulumi up: ${outcome.steps.length} created`,
  );
  steps.print(...notes(made, planned));
  const { connection, status } = outputs.parse(await stack.outputs());

  const changes = await steps.run(
    "Bemi",
    () => capture(sandbox, connection, bemiAddress),
    (list) => `Bemi at ${bemiAddress}: all ${list.length} changes arrived, every row before complete`,
  );
  steps.print(`\n${changesTable(changes)}\n${contexts(changes)}\n`);
  steps.print(`For Bemi's dialog "Connect PostgreSQL Database":\n${dialog(connection)}\n`);
  steps.print(`Readiness after the up (stack output "status"):\n${readiness(status)}\n`);

  if (options.keep) {
    steps.print(playground({ sandbox, stack }));
    await untilInterrupted(interrupted);
    return;
  }
  await mendChanges(sandbox, stack, steps);
  const taken = await steps.run(
    "pulumi destroy",
    (progress) => stack.destroy(progress),
    (outcome) => `pulumi destroy: ${outcome.steps.length} deleted`,
  );
  steps.print(...notes(taken));
  const after = await steps.run(
    "Comparison",
    async () => {
      await undoMigration(sandbox);
      const found = await facts(sandbox);
      const different = compareFacts(before, found);
      if (different.length > 0)
        throw new UserError(
          `After pulumi destroy, these objects differ from before:\n${differences(different)}`,
        );
      return found;
    },
    () => "Comparison: the database and the IP Allow list are as before",
  );
  steps.print(
    `  ${counts(countFacts(after))}\n  What stays: wal_level = logical. Neon cannot turn it off again.\n`,
  );
  steps.print(REAL_PROJECT);
}

/** Changes the database behind the back of the stack: the next preview shows it, and the next up mends it. */
async function mendChanges(sandbox: SandboxInfo, stack: DemoStack, steps: Steps): Promise<void> {
  await steps.run(
    "The next day",
    () => changeDatabase(sandbox),
    () => "The next day: a migration, and a mistake",
  );
  steps.print(...NEXT_DAY.map((statement) => `    ${statement}`));
  const found = await steps.run(
    "pulumi preview",
    (progress) => stack.preview(progress),
    (outcome) => `pulumi preview: ${outcome.steps.length} to update`,
  );
  steps.print(operation(found));
  const mended = await steps.run(
    "pulumi up",
    async (progress) => {
      const outcome = await stack.up(progress);
      await assertMended(sandbox);
      return outcome;
    },
    (outcome) => `pulumi up: ${outcome.steps.length} updated, both tables are tracked`,
  );
  steps.print(...notes(mended, found));
}

async function openSandbox(
  postgres: StartOptions["postgres"],
  cleanup: Cleanup,
  progress: Progress,
): Promise<SandboxInfo> {
  const starting = startSandbox({ postgres, profile: "neon", progress });
  cleanup.add(async () => {
    await (await starting.catch(() => undefined))?.stop();
  });
  const { info } = await starting;
  progress("restricting the project to the application's address");
  await restrict(info, APPLICATION_ADDRESS);
  return info;
}

function stackConfig(
  { projectId, branchName, database }: SandboxInfo,
  postgres: StartOptions["postgres"],
  bemiAddress: string,
): Record<string, unknown> {
  return {
    projectId,
    branch: branchName,
    database,
    environment: "Test",
    schemas: TRACKED_SCHEMAS,
    excludeTables: [EXCLUDED_TABLE],
    role: { name: "bemi", ...roleOn(postgres) },
    allowedIps: [bemiAddress],
    dropSlotOnDestroy: true,
  };
}

async function untilInterrupted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener("abort", resolve);
  });
}
