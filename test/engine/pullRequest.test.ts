import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli";

jest.setTimeout(300_000);

/** Runs `npm run pull-request`, which fails by itself if a change is not captured or production differs afterwards. */
async function pullRequest(): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [path.join("tools", "run.mjs"), "pull-request"], { cwd: PROJECT });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

function leftovers(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith("pulumi-neon-bemi-pull-request-"));
}

test("a pull request gets a branch with a trail, and leaves production and no file behind", async () => {
  const before = leftovers();
  const { code, output } = await pullRequest();
  expect({ code, output }).toMatchObject({ code: 0 });
  const lines = output.split("\n").filter((line) => line.startsWith("✔"));
  expect(lines.slice(2).map((line) => line.replace(/\s+[\d.]+ s$/, ""))).toEqual([
    "✔ Production has a trail: 8 created",
    "✔ neon-bemi plan: clean, before there is a branch",
    "✔ pulumi up: 9 created, on branch pr-7",
    expect.stringMatching(/^✔ Tests: all [1-9]\d* changes arrived, .* neon-bemi check: alive$/),
    "✔ neon-bemi plan: clean, nothing changes",
    "✔ pulumi destroy: 9 deleted",
    "✔ Comparison: the branch is gone; production and the IP Allow list are as before",
  ]);
  // The first report says whose tables it shows, and the second that nothing is left to do.
  expect(output).toMatch(/NB503 pr-7 is made by this up\. Tables and costs here are/);
  expect(output).toMatch(/orders: nothing changes/);
  expect(leftovers()).toEqual(before);
});
