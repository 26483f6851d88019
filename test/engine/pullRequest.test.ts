import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli";
import { DEFAULT_VERSION } from "../support/postgres";
import { ROLE_BY_API } from "../support/trailRole";

jest.setTimeout(300_000);

/** Left out on the version that is the default, so that the command runs as in the documents. */
const ARGS = DEFAULT_VERSION === 17 ? [] : ["--postgres", String(DEFAULT_VERSION)];

/** Without ReadAccess, which a role made through Neon's API does not need. */
const [ON_PRODUCTION, ON_THE_BRANCH] = ROLE_BY_API ? [7, 8] : [8, 9];

/** The system's folder for temporary files, for these commands only: another run of the tests has the real one. */
let temporary: string;
beforeAll(async () => {
  temporary = await mkdtemp(path.join(tmpdir(), "neon-bemi-pull-request-test-"));
});
afterAll(async () => {
  await rm(temporary, { recursive: true, force: true });
});

/** Runs `npm run pull-request`, which fails by itself if a change is not captured or production differs afterwards. */
async function pullRequest(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [path.join("tools", "run.mjs"), "pull-request", ...args], {
    cwd: PROJECT,
    env: { ...process.env, TMPDIR: temporary },
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

test("a pull request gets a branch with a trail, and leaves production and no file behind", async () => {
  const { code, output } = await pullRequest(ARGS);
  expect({ code, output }).toMatchObject({ code: 0 });
  const lines = output.split("\n").filter((line) => line.startsWith("✔"));
  expect(lines.slice(2).map((line) => line.replace(/\s+[\d.]+ s$/, ""))).toEqual([
    `✔ Production has a trail: ${ON_PRODUCTION} created`,
    "✔ neon-bemi plan: clean, before there is a branch",
    `✔ pulumi up: ${ON_THE_BRANCH} created, on branch pr-7`,
    expect.stringMatching(/^✔ Tests: all [1-9]\d* changes arrived, .* neon-bemi check: alive$/),
    "✔ neon-bemi plan: clean, nothing changes",
    `✔ pulumi destroy: ${ON_THE_BRANCH} deleted`,
    "✔ Comparison: the branch is gone; production and the IP Allow list are as before",
  ]);
  // The first report says whose tables it shows, and the second that nothing is left to do.
  expect(output).toMatch(/NB503 pr-7 is made by this up\. Tables and costs here are/);
  expect(output).toMatch(/orders: nothing changes/);
  expect(await readdir(temporary)).toEqual([]);
});

test("explains a wrong argument before it starts anything", async () => {
  expect(await pullRequest(["--postgres", "9"])).toEqual({
    code: 1,
    output: expect.stringMatching(/--postgres 9 .* Usage: npm run pull-request/) as string,
  });
});
