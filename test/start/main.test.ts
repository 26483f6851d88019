import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli";

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real command, as npm does. With `at`, sends a signal when the output first contains the text. */
async function npmStart(
  args: readonly string[],
  at?: { says: string; signal: NodeJS.Signals },
): Promise<Run> {
  const child = spawn(process.execPath, [path.join("tools", "run.mjs"), "start", ...args], {
    cwd: PROJECT,
    env: { ...process.env, TMPDIR: temporary },
  });
  let [stdout, stderr, sent] = ["", "", false];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    if (at === undefined || sent || !stdout.includes(at.says)) return;
    sent = true;
    child.kill(at.signal);
  });
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

/** For the temporary folders of these runs alone: other tests run at the same time. */
const temporary = mkdtempSync(path.join(tmpdir(), "start-"));

afterAll(() => {
  rmSync(temporary, { recursive: true, force: true });
});

function leftovers(): string[] {
  return readdirSync(temporary).filter((name) => name.startsWith("pulumi-neon-bemi-start-"));
}

describe("npm start", () => {
  it("shows every step without a secret, and leaves nothing behind", async () => {
    const before = leftovers();
    const { code, stdout, stderr } = await npmStart([]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/✔ pulumi preview: [1-9]\d* to create/);
    expect(stdout).toMatch(/✔ pulumi up: [1-9]\d* created/);
    expect(stdout).toMatch(
      /│ Update +│ public\.stock_imports +│ \(none\) +│ quantity: 104 +│ quantity: 102 /,
    );
    expect(stdout).toMatch(/Password +•/);
    expect(stdout).toMatch(/Ready +yes/);
    // Only an owner as Neon gives it may create event triggers.
    expect(stdout).toMatch(/New tables +event trigger/);
    expect(stdout).toMatch(/✔ pulumi preview: [1-9]\d* to update/);
    expect(stdout).toMatch(/~ Publication +trail-publication\n +- notPublished: .*public\.order_items/);
    expect(stdout).toMatch(/✔ pulumi up: [1-9]\d* updated, both tables are tracked/);
    expect(stdout).toMatch(/✔ pulumi destroy: [1-9]\d* deleted/);
    expect(stdout).toMatch(/✔ Comparison: the database and the IP Allow list are as before/);
    // Debug messages of Pulumi's engine contain the outputs in plain text.
    expect(stdout + stderr).not.toMatch(/warning:/);
    expect(stdout).not.toMatch(/npg_|napi_|postgresql:\/\/|RegisterResource|__provider/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(leftovers()).toEqual(before);
  });

  it("cleans up when it is terminated during pulumi up", async () => {
    const before = leftovers();
    const { code, stdout } = await npmStart([], { says: "✔ pulumi preview:", signal: "SIGTERM" });
    expect(code).toBe(143);
    expect(stdout).toMatch(/✖ pulumi up/);
    expect(leftovers()).toEqual(before);
  });

  // If the server is not in the cache yet, the test downloads it.
  it.each(["14", "15", "16", "18"])(
    "captures every row before on PostgreSQL %s, and restores everything",
    async (version) => {
      const { code, stdout, stderr } = await npmStart(["--postgres", version]);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(stdout).toMatch(/all \d+ changes arrived, every row before complete/);
      expect(stdout).toMatch(/7 of them with the application's context \{"user":"ada@lovelace\.example"/);
      expect(stdout).toMatch(/✔ Comparison: the database and the IP Allow list are as before/);
    },
  );

  it("keeps everything running until Ctrl-C, and then ends with exit code 0", async () => {
    const before = leftovers();
    const { code, stdout } = await npmStart(["--keep"], { says: "psql ", signal: "SIGINT" });
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/pulumi destroy/);
    expect(leftovers()).toEqual(before);
  });

  it("explains a wrong argument before it starts anything", async () => {
    const { code, stdout, stderr } = await npmStart(["--postgres", "9"]);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/--postgres 9 .* Usage: npm start/);
  });
});
