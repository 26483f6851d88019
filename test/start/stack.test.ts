import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { ensurePulumiCli, PROJECT } from "../../tools/pulumiCli";
import { DemoStack } from "../../tools/start/stack";

/** The files that the CLI could write into the repository, with their contents. */
function stackFiles(): Record<string, string> {
  const names = readdirSync(PROJECT).filter((name) => name.startsWith("Pulumi"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(PROJECT, name), "utf8")]));
}

async function createStack(config: Record<string, unknown>, interrupted: AbortSignal): Promise<DemoStack> {
  const cli = await ensurePulumiCli({ progress: () => undefined });
  return await DemoStack.create({
    cliRoot: cli.root,
    cliEnv: cli.env,
    project: PROJECT,
    config,
    env: {},
    interrupted,
  });
}

describe("the stack of npm start", () => {
  it("shows the program's errors, and leaves no file in the repository or elsewhere", async () => {
    const before = stackFiles();
    const stack = await createStack({ database: "neondb", schemas: "public" }, new AbortController().signal);
    let message = "";
    await stack.preview(() => undefined).catch((error: unknown) => (message = String(error)));
    expect(message).toMatch(/^UserError: pulumi preview failed: The stack's configuration needs attention/);
    expect(message).toMatch(/- projectId is required/);
    expect(message).toMatch(/- schemas must be a list/);
    expect(message).not.toMatch(/<\{%|\n +at /);
    expect(stackFiles()).toEqual(before);

    expect(existsSync(stack.configFile)).toBe(true);
    await stack.close();
    expect(existsSync(path.dirname(stack.configFile))).toBe(false);
  });

  it("removes its folder only after the CLI has ended", async () => {
    const interruption = new AbortController();
    const stack = await createStack({ database: "neondb" }, interruption.signal);
    let ended = false;
    const previewing = stack
      .preview(() => undefined)
      .catch(() => undefined)
      .finally(() => (ended = true));
    interruption.abort();
    await stack.close();
    expect(ended).toBe(true);
    expect(existsSync(path.dirname(stack.configFile))).toBe(false);
    await previewing;
  });
});
