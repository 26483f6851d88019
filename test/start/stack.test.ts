import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { findEngine, PROJECT } from "../../tools/engine";
import { DemoStack } from "../../tools/start/stack";

/** Whatever the CLI could write into the repository. */
function stackFiles(): Record<string, string> {
  const names = readdirSync(PROJECT).filter((name) => name.startsWith("Pulumi"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(PROJECT, name), "utf8")]));
}

async function createStack(config: Record<string, unknown>, interrupted: AbortSignal): Promise<DemoStack> {
  const engine = await findEngine({ progress: () => undefined });
  return await DemoStack.create({
    engineRoot: engine.root,
    engineEnv: engine.env,
    project: PROJECT,
    config,
    env: {},
    interrupted,
  });
}

describe("the demonstration's stack", () => {
  it("fails in the program's words, writes nothing into the repository, and leaves nothing behind", async () => {
    const before = stackFiles();
    const stack = await createStack({ database: "neondb", schemas: "public" }, new AbortController().signal);
    let message = "";
    await stack.preview(() => undefined).catch((error: unknown) => (message = String(error)));
    expect(message).toMatch(/^UserError: pulumi preview failed: The stack's configuration needs attention/);
    expect(message).toMatch(/neon-bemi:projectId is required/);
    expect(message).toMatch(/neon-bemi:schemas must be a list/);
    expect(message).not.toMatch(/<\{%|\n +at /);
    expect(stackFiles()).toEqual(before);

    expect(existsSync(stack.configFile)).toBe(true);
    await stack.close();
    expect(existsSync(path.dirname(stack.configFile))).toBe(false);
  });

  it("waits for the CLI before its folder goes", async () => {
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
