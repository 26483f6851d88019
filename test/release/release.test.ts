import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { bin, dependencies, name, version } from "../../package.json";
import { release, type Release } from "../../tools/release/release";
import { Asking, fakeEngine, METHODS } from "../plugin/harness";
import { until } from "../support/until";

const PROJECT = path.join(__dirname, "..", "..");
const EXECUTABLE = "pulumi-resource-neon-bemi";

let target: string;
let built: Release;
const started: ChildProcess[] = [];

beforeAll(async () => {
  target = mkdtempSync(path.join(tmpdir(), "neon-bemi-release-"));
  built = await release(PROJECT, path.join(target, "release"));
});

afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(target, { recursive: true, force: true });
});

/** Starts a program from an empty folder with nothing but Node, and asks the provider that it serves. */
async function start(
  command: string,
  ...args: readonly string[]
): Promise<{ child: ChildProcess; ask: Asking }> {
  const cwd = mkdtempSync(path.join(target, "empty-"));
  const child = spawn(command, args, {
    cwd,
    env: { PATH: path.dirname(process.execPath) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  started.push(child);
  const port = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    child.once("exit", () => {
      reject(new Error("the plugin ended"));
    });
  });
  return { child, ask: new Asking(`127.0.0.1:${port}`) };
}

test("the npm package has the command neon-bemi, with all that it loads", () => {
  const packed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: PROJECT,
    encoding: "utf8",
  });
  const [about] = JSON.parse(packed) as { files: { path: string; mode: number }[] }[];
  const files = new Map(about?.files.map((file) => [file.path, file.mode]));
  expect(bin).toEqual({ "neon-bemi": "./neon-bemi" });
  expect(files.get("neon-bemi")).toBe(0o755);
  for (const file of ["dist/commands/main.js", "dist/report/plan/report.js", "docs/plan.md", "docs/check.md"])
    expect([...files.keys()]).toContain(file);
  // What is loaded at run time and lacks among the dependencies would only fail for users.
  expect(Object.keys(dependencies)).toEqual(expect.arrayContaining(["commander", "pg", "zod"]));
});

test("the folder has starters for every system, what the runtime wants, and programs in one file each", () => {
  expect(readdirSync(built.folder).filter((file) => !file.endsWith(".LEGAL.txt"))).toEqual([
    "PulumiPlugin.yaml",
    "constructServer.js",
    "main.js",
    "package.json",
    EXECUTABLE,
    `${EXECUTABLE}.cmd`,
  ]);
  expect(readFileSync(path.join(built.folder, `${EXECUTABLE}.cmd`), "utf8")).toBe(
    `@node "%~dp0${EXECUTABLE}" %*\r\n`,
  );
});

test("there is an archive for every platform, which can be installed without npm", () => {
  expect(built.archives.map((archive) => path.basename(archive))).toEqual(
    ["linux", "darwin", "windows"].flatMap((system) =>
      ["amd64", "arm64"].map((processor) => `${EXECUTABLE}-v${version}-${system}-${processor}.tar.gz`),
    ),
  );
  for (const archive of built.archives) {
    const files = execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }).trim().split("\n");
    expect(files.filter((file) => !file.endsWith(".LEGAL.txt")).sort()).toEqual([
      "constructServer.js",
      "main.js",
      EXECUTABLE,
      `${EXECUTABLE}.cmd`,
    ]);
  }
});

test("an unpacked archive serves the provider with nothing but Node, from an empty folder", async () => {
  const folder = mkdtempSync(path.join(target, "unpacked-"));
  execFileSync("tar", ["-xzf", built.archives[0] ?? "", "-C", folder]);
  const engine = await fakeEngine();
  const { child, ask } = await start(path.join(folder, EXECUTABLE), engine.address);
  expect((await ask.call(METHODS.getPluginInfo, new Empty())).getVersion()).toBe(version);
  const schema = (await ask.call(METHODS.getSchema, new pb.GetSchemaRequest())).getSchema();
  expect(JSON.parse(schema)).toMatchObject({
    name: "neon-bemi",
    version,
    language: { nodejs: { packageName: name } },
  });
  engine.kill();
  await until(() => child.exitCode !== null);
});

test("the plugin ends when the engine interrupts it", async () => {
  const engine = await fakeEngine();
  const { child } = await start(process.execPath, path.join(built.folder, "main.js"), engine.address);
  child.kill("SIGINT");
  await until(() => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
});
